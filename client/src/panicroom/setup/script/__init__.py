"""What a shell script around duplicity says: its variables, duplicity's options in it, and its list of patterns."""

# SPDX-License-Identifier: GPL-2.0-or-later

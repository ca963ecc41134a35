"""What is in a backup, and bringing it back."""

# SPDX-License-Identifier: GPL-2.0-or-later

"""The pile of pictures: which of its folders is which job, and their backups."""

# SPDX-License-Identifier: GPL-2.0-or-later

"""duplicity as a process: its arguments, the child that it runs in, and what the child changes in it."""

# SPDX-License-Identifier: GPL-2.0-or-later

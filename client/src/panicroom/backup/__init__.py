"""A backup run: what to back up, whether it may start, the lease, and carrying on with an interrupted set."""

# SPDX-License-Identifier: GPL-2.0-or-later

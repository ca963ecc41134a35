"""Patches that make duplicity faster and change nothing that it writes.

For backups only, and for duplicity 3.2.1 only: of another version it is not known whether the patches fit, so it runs
as it is. ``speed_up = false`` in the settings turns them all off.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

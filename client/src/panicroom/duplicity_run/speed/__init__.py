"""Patches that make duplicity faster and change nothing that it writes.

Those in ``patches`` are for backups only, and for duplicity 3.2.1 only: of another version it is not known whether they
fit, so it runs as it is. ``speed_up = false`` in the settings turns them all off. ``session_keys`` is for restores.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

"""Patches that make duplicity faster and change nothing that it writes."""

# SPDX-License-Identifier: GPL-2.0-or-later

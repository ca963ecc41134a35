"""Drills: a few files restored and proved by themselves, so that somebody hears of a backup that cannot be restored."""

# SPDX-License-Identifier: GPL-2.0-or-later

"""Archived volumes: what bringing them back costs, whether somebody agrees to it, and the wait for them."""

# SPDX-License-Identifier: GPL-2.0-or-later

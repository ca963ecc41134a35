"""The recovery sheet: the page for the day when the computer is gone, as text and for the printer."""

# SPDX-License-Identifier: GPL-2.0-or-later

"""Several jobs restored by one command: one plan, one price, one question, and a folder for each."""

# SPDX-License-Identifier: GPL-2.0-or-later

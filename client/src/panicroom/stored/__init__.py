"""What is stored of a job: its chains, their metadata at hand, who made them, and the times that can be had."""

# SPDX-License-Identifier: GPL-2.0-or-later

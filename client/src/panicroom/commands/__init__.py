"""What is typed: a module for each group of commands."""

# SPDX-License-Identifier: GPL-2.0-or-later

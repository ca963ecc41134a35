"""The folder that a restore makes: written without following links, proved, and given its name at the end."""

# SPDX-License-Identifier: GPL-2.0-or-later

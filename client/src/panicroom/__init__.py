"""The thin client of panicroom: plain duplicity, with the service in place of cloud credentials."""

# SPDX-License-Identifier: GPL-2.0-or-later

__version__ = "0.2.0"

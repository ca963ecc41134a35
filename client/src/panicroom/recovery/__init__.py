"""From a printed page back to everything: the recovery sheet, its code, and ``panicroom recover``."""

# SPDX-License-Identifier: GPL-2.0-or-later

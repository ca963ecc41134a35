"""``panicroom doctor`` and its checks."""

# SPDX-License-Identifier: GPL-2.0-or-later

"""The commands about pictures, ``panicroom photos ...``: a file each."""

# SPDX-License-Identifier: GPL-2.0-or-later

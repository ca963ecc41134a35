"""What commands about stored jobs do where a family of photo jobs is named."""

# SPDX-License-Identifier: GPL-2.0-or-later

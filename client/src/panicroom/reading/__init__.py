"""Reading what is stored without restoring it: listings, versions, comparisons, duplicity's own commands."""

# SPDX-License-Identifier: GPL-2.0-or-later

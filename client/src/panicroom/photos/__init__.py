"""Photo jobs: a folder of pictures whose folders are jobs of their own, and are left alone while nothing changes."""

# SPDX-License-Identifier: GPL-2.0-or-later

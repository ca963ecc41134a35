"""Moving files between this machine and S3 by presigned URLs."""

# SPDX-License-Identifier: GPL-2.0-or-later

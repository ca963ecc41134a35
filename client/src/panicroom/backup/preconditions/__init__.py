"""What has to hold before a set is made: this machine, its clock, the service, and the lease of the job."""

# SPDX-License-Identifier: GPL-2.0-or-later

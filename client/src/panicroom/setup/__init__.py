"""Setting a machine up and looking after it: enrol, import-conf, schedule, doctor, recovery sheet."""

# SPDX-License-Identifier: GPL-2.0-or-later

"""duplicity as a process: its arguments and plan, how it is run, and what it reports.

``child/`` is the inside of that process, ``speed/`` the patches that make it faster.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

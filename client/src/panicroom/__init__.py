"""The thin client of panicroom: plain duplicity, with the service in place of cloud credentials."""

# SPDX-License-Identifier: GPL-2.0-or-later

import sys

__version__ = "0.2.0"

# httpx imports its own command line if it can, and with it rich and pygments: longer than all that `status` needs.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

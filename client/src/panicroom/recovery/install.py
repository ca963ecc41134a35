"""The lines that bring the client to a computer that has nothing yet, short enough to be typed from paper.

pip takes a wheel from an address that ends in ``.whl`` alone, so curl asks the service first where it is. The address
that it gets has the wheel's digest; versions and digests of all else are in the list at the second address.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import shlex


def install_lines(service_url: str) -> list[str]:
    """For bash or zsh, with pipx and curl. ``service_url`` is what machines enrol at."""
    return [
        f"U={shlex.quote(service_url.rstrip('/') + '/client')}",
        'pipx install --pip-args="--require-hashes -c $U/requirements.txt" \\',
        "  \"$(curl -fsSo /dev/null -w '%{redirect_url}' $U)\"",
    ]

"""The group ``photos``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import click

from panicroom.commands.photos.check import check
from panicroom.commands.photos.folder import folder


@click.group(short_help="Look after a pile of pictures.")
def photos() -> None:
    """Look after a pile of pictures, whose folders are jobs of their own."""


photos.add_command(check)
photos.add_command(folder)

"""Help that lists each command with its whole first sentence."""

from __future__ import annotations

import click

LONGEST_SENTENCE = 1000


class WholeHelp(click.Group):
    """A group of commands. click cuts what does not fit into a line of its list; here it goes on in the next one."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (name, self.commands[name].get_short_help_str(LONGEST_SENTENCE))
            for name in self.list_commands(ctx)
            if not self.commands[name].hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

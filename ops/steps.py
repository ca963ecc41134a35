"""Shows a command's steps as they go, with the seconds each took; plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.text import Text

SPINNER_COLUMNS = 3

Say = Callable[[str], None]
"""Shows what a step is doing now, in one line."""


class Steps:
    """``with steps.step("Packing") as say:`` shows a spinner, then a line; ``seconds`` has each step's time.

    What a step says is shown beside the spinner, or as a line of its own where there is no terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, title: str) -> Iterator[Say]:
        started = time.monotonic()
        shown = escape(title)
        try:
            if self._console.is_terminal:
                with self._console.status(shown) as status:
                    yield lambda text: status.update(self._one_line(title, text))
            else:
                yield lambda text: self._console.print(f"    {text}", markup=False)
        except BaseException:
            self._console.print(f"[red]✗[/] {shown}")
            raise
        seconds = time.monotonic() - started
        self.seconds[title] = round(self.seconds.get(title, 0.0) + seconds, 2)
        self._console.print(f"[green]✓[/] {shown} [dim]{seconds:.1f} s[/]", highlight=False)

    def _one_line(self, title: str, text: str) -> Text:
        """Cut at the terminal's edge: a spinner of two lines leaves its first one behind."""
        line = Text.assemble(title, "  ", (text, "dim"))
        line.truncate(self._console.width - SPINNER_COLUMNS, overflow="ellipsis")
        return line


def silent_steps() -> Steps:
    """For tests and for ``--json``: times are measured and nothing is shown."""
    return Steps(Console(quiet=True))

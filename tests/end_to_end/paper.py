"""A recovery sheet as somebody reads it who has nothing else: its printed text, and no function that made it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    text: str

    def fact(self, name: str) -> str:
        """What stands beside a name at the top."""
        found = re.search(rf"(?m)^{name} +(\S+)", self.text)
        assert found is not None, f"the sheet does not say: {name}"
        return found[1]

    def step(self, way: str, number: int) -> str:
        """All that a step of the way ``A`` or ``B`` says."""
        part = re.search(rf"(?ms)^{way}\. .*?(?=^[A-Z]\. |\Z)", self.text)
        assert part is not None, f"the sheet has no part {way}"
        found = re.search(rf"(?ms)^ {number}\. (.*?)(?=^ \d\. |\Z)", part[0])
        assert found is not None, f"part {way} has no step {number}"
        return found[1].rstrip()

    def commands(self, way: str, number: int, first: str, last: str | None = None) -> list[str]:
        """What is typed of a step: from the line that begins with ``first`` to the one that begins with ``last``."""
        lines = [line.strip() for line in self.step(way, number).splitlines()]
        begins = [line.startswith(first) for line in lines].index(True)
        ends = begins if last is None else [line.startswith(last) for line in lines].index(True, begins)
        return list(_commands(lines[begins : ends + 1]))


def _commands(lines: list[str]) -> Iterator[str]:
    """A shell waits for the rest of a line that ends in a backslash, or within quotes."""
    typed: list[str] = []
    for line in lines:
        typed.append(line)
        if not line.endswith("\\") and _is_whole("\n".join(typed)):
            yield "\n".join(typed)
            typed = []
    assert not typed, typed


def _is_whole(text: str) -> bool:
    return subprocess.run(["bash", "-nc", text], capture_output=True, check=False).returncode == 0

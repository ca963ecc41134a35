"""A shell at a terminal, and a person who counts what they type and what they are asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

pexpect = pytest.importorskip("pexpect", reason="the environment is older than requirements-dev.txt")

SHELL_IS_READY = r"\[(\d+)\]> $"
"""Its prompt, with the exit code of what was typed before."""


class Terminal:
    """80 columns; ``typed`` and ``answered`` have all that the person wrote."""

    def __init__(self, folder: Path, environment: Mapping[str, str], seconds: float) -> None:
        """``seconds``: how long is waited for an answer, and for a prompt."""
        self.typed: list[str] = []
        self.answered: list[str] = []
        self._shell = pexpect.spawn(
            "bash",
            ["--noprofile", "--norc"],
            cwd=folder,
            env={"LANG": "C.UTF-8", "TERM": "xterm", **environment, "PS1": "[$?]> "},
            dimensions=(24, 80),
            encoding="utf-8",
            timeout=seconds,
        )
        self._shell.expect(SHELL_IS_READY)

    def types(self, command: str, answers: Mapping[str, str] | None = None, *, ends_with: int = 0) -> str:
        """What the command says. ``answers``: how each question begins -> what is answered.

        These have to be asked, all of them in this order, and nothing else: another question gets no answer, and
        the shell does not come back.
        """
        self.typed.append(command)
        self._shell.sendline(command)
        said = ""
        for question, answer in (answers or {}).items():
            waits = rf"{re.escape(question)}[^\r\n]*: $"
            assert self._shell.expect([waits, SHELL_IS_READY]) == 0, f"never asked: {question}"
            self.answered.append(answer)
            said += self._shell.before + self._shell.match[0]
            self._shell.sendline(answer)
        self._shell.expect(SHELL_IS_READY)
        said += self._shell.before
        assert self._shell.match[1] == str(ends_with), said
        return str(said).replace("\r\n", "\n")

    def closes(self) -> None:
        self._shell.close(force=True)

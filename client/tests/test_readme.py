"""The README is the reference: it has every command and every setting, and --help of each says enough."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from panicroom import __version__
from panicroom.cli import cli
from panicroom.exit_codes import EXPLANATIONS, ExitCode

README = (Path(__file__).parents[1] / "README.md").read_text()


def commands(group: click.Group = cli, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_the_readme_names_every_command(name: str) -> None:
    first, *rest = name.split()
    assert f"`panicroom {first}" in README or f"\npanicroom {first}" in README
    assert all(f"`{word}`" in README or f" {word}`" in README for word in rest)


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_help_reads_like_documentation(name: str, command: click.Command) -> None:
    assert command.help
    assert len(command.help.split()) >= 10
    for option in command.params:
        assert not isinstance(option, click.Option) or option.help, option.name


@pytest.mark.parametrize("name", ["", "schedule", "passphrase", *(name for name, _ in commands())])
def test_the_version_can_be_asked_for_behind_every_command(name: str) -> None:
    ended = CliRunner().invoke(cli, [*name.split(), "--version"])
    assert (ended.exit_code, ended.output) == (0, f"panicroom, version {__version__}\n")


def test_the_exit_codes_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", README, re.MULTILINE)
    expected = [(str(int(code)), text) for code, text in EXPLANATIONS.items() if code != ExitCode.START_AGAIN]
    assert rows == expected

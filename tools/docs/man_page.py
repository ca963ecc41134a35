"""The man page and the shell completions of the client, from its commands as click has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import get_completion_class
from panicroom.cli import cli
from panicroom.exit_codes import EXPLANATIONS, ExitCode

SHARE = Path("client/share")
_PROGRAM, _VARIABLE = "panicroom", "_PANICROOM_COMPLETE"
_COMPLETIONS = {
    "bash": "bash-completion/completions/panicroom",
    "zsh": "zsh/site-functions/_panicroom",
    "fish": "fish/vendor_completions.d/panicroom.fish",
}


def share_files() -> dict[Path, str]:
    """Path in the project -> text; the wheel installs them below ``share``."""
    files = {SHARE / "man/man1/panicroom.1": man_page()}
    return files | {SHARE / path: completion(shell) for shell, path in _COMPLETIONS.items()}


def completion(shell: str) -> str:
    """The script that has the shell ask the command itself what could follow."""
    known = get_completion_class(shell)
    assert known is not None, shell
    made = known(cli, {}, _PROGRAM, _VARIABLE)
    return str(made.source_template % made.source_vars()).strip() + "\n"


def man_page() -> str:
    """In man(7)'s macros. Its date is left empty, so that it changes only with the commands."""
    lines = [
        '.TH PANICROOM 1 "" panicroom "User Commands"',
        ".SH NAME",
        "panicroom \\- encrypted backups of this machine with duplicity, without cloud credentials",
        ".SH SYNOPSIS",
        ".B panicroom",
        "COMMAND [OPTIONS] [ARGUMENTS]",
        ".SH DESCRIPTION",
        *_text(cli.help or ""),
        ".SH COMMANDS",
    ]
    for name, command in _commands(_PROGRAM, cli):
        lines += _command(name, command)
    lines.append(".SH EXIT STATUS")
    for code, text in EXPLANATIONS.items():
        if code != ExitCode.START_AGAIN:
            lines += [".TP", f".B {int(code)}", _escaped(text)]
    lines += [
        ".SH FILES",
        ".TP",
        ".I ~/.config/panicroom/panicroom.toml",
        "The settings; /etc/panicroom/panicroom.toml for root, where that folder exists.",
        ".SH SEE ALSO",
        ".BR duplicity (1),",
        ".BR gpg (1)",
    ]
    return "\n".join(lines) + "\n"


def _commands(name: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    for short, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _commands(f"{name} {short}", command)
        elif not command.hidden:
            yield f"{name} {short}", command


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    yield f".SS {_escaped(' '.join([name, *command.collect_usage_pieces(context)]))}"
    yield from _text(command.help or "")
    for option in command.params:
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None:
            yield from (".TP", f".B {_escaped(record[0])}", _escaped(" ".join(record[1].split())))


def _text(text: str) -> Iterator[str]:
    """Paragraphs; those after click's mark are examples, and stay as they are."""
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.startswith("\b\n"):
            yield from (".PP", ".nf", *(_escaped(line) for line in part[2:].splitlines()), ".fi")
        else:
            yield from (".PP", _escaped(" ".join(part.split())))


def _escaped(text: str) -> str:
    """A dot or a quotation mark at the beginning of a line would be a macro."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text

"""The pages about commands, from click's own help."""

from __future__ import annotations

import inspect
import re

import click

MADE = "<!-- Made by `python -m tools.docs.reference`; do not edit. -->\n"


EXAMPLES_TYPED_IN = {
    "panicroom backup": "client/tests/test_policy.py",
    "panicroom cost": "client/tests/thaw/test_archived_files.py",
    "panicroom enrol": "client/tests/test_commands.py",
    "panicroom restore": "client/tests/test_end_to_end.py client/tests/thaw/test_restore_thaw.py",
}
"""Where a test types what a command's help shows; every other example is typed by ``make docs-check``."""


def commands_page(title: str, program: str, root: click.Group, where: str) -> str:
    parts = [f"# {title}\n\n{MADE}\n{where} `{program} --help` says the same.\n"]
    found = command_names(program, root)
    parts.append("\n".join(f"- [`{name}`](#{_anchor(name)})" for name, _ in found) + "\n")
    return "\n".join([*parts, *(_command(name, one) for name, one in found)])


def command_names(name: str, group: click.Group) -> list[tuple[str, click.Command]]:
    """Every command that can be typed, as it is typed, without those that only hold others."""
    found: list[tuple[str, click.Command]] = []
    for short, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            found += command_names(f"{name} {short}", command)
        elif not command.hidden:
            found.append((f"{name} {short}", command))
    return found


def _anchor(name: str) -> str:
    return re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    lines = [f"## {name}\n", f"`{usage}`\n", *_paragraphs(command.help or "", EXAMPLES_TYPED_IN.get(name))]
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if options:
        lines += ["| option | does |", "| --- | --- |", *(_option(one, context) for one in options), ""]
    return "\n".join(lines)


def _option(option: click.Option, context: click.Context) -> str:
    left, right = option.get_help_record(context) or (option.opts[0], "")
    return f"| `{_cell(left)}` | {_cell(right)} |"


def _paragraphs(text: str, typed_in: str | None) -> list[str]:
    """Paragraphs on a line each; what click is told to leave as it is stays so: those are examples."""
    tested = f"<!-- tested by {typed_in} -->\n" if typed_in else ""
    return [
        f"{tested}```\n{part[2:]}\n```\n" if part.startswith("\b\n") else " ".join(part.split()) + "\n"
        for part in inspect.cleandoc(text).split("\n\n")
    ]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

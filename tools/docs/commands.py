"""Whether a command that a document says to type exists, with its options; nothing is run."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import click
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from panicroom.cli import cli as panicroom

from ops.cli import commands
from ops.functions.package import PROJECT

OTHER_PROGRAMS = frozenset(
    {
        "ansible-playbook",
        "apt",
        "apt-get",
        "brew",
        "cat",
        "cd",
        "pip",
        "chalice",
        "cold",  # a function that docs/restore.md defines
        "cp",
        "dnf",
        "duplicity",
        "echo",
        "git",
        "gpg",
        "grep",
        "ls",
    }
    | {
        "mkdir",
        "mv",
        "pipx",
        "pre-commit",
        "printf",
        "read",
        "rm",
        "sed",
        "source",
        "tar",
        "test",
        "true",
        "umask",
        "xargs",
    }
)
"""What needs no looking up; whatever else stands first in a line is a mistake, or belongs in here."""

FUNCTION = re.compile(r"(?ms)^\w+\(\) \{ (?P<body>.*?);? \}$")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
GLOBAL_AWS_OPTIONS = frozenset(("--region", "--output", "--query", "--profile", "--endpoint-url"))


def complaints(text: str) -> list[str]:
    """What is wrong with the lines of a shell block, a sentence each."""
    found = []
    for line in logical_lines(text):
        for command in re.split(r"\s(?:&&|\|\||\||;)\s", line):
            complaint = complaint_about(command)
            if complaint:
                found.append(f"`{command.strip()}`: {complaint}")
    return found


def logical_lines(text: str) -> Iterator[str]:
    """Lines with their continuations, without comments and empty ones; of a function of the shell what it does."""
    text = FUNCTION.sub(lambda found: " ".join(found["body"].split()), text)
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def complaint_about(command: str) -> str | None:
    """What is wrong with one command as it is typed, or None. ``[OPTIONAL]`` parts count as typed."""
    try:
        words = shlex.split(re.sub(r"\[((?:-|[A-Z])[^\]]*)\]", r"\1", command), comments=True)
    except ValueError as error:
        return str(error)
    while words and (ASSIGNMENT.match(words[0]) or words[0] in ("sudo", "export")):
        words.pop(0)
    if not words:
        return None
    program = Path(words[0]).name
    if program.startswith("python") and words[1:3] == ["-m", "ops"]:
        return _in_click(commands, "python -m ops", words[3:])
    if program.startswith("python") and words[1:2] == ["-m"]:
        module = PROJECT / words[2].replace(".", "/")
        exists = module.with_suffix(".py").exists() or module.is_dir() or words[2] == "venv"
        return None if exists else f"there is no module {words[2]}"
    if program == "panicroom":
        return _in_click(panicroom, "panicroom", words[1:])
    if program == "make":
        return _in_make(words[1:])
    if program == "aws":
        return _in_aws(words[1:])
    return None if program in OTHER_PROGRAMS else f"{program} is no program that the documents know"


def _in_click(command: click.Command, name: str, words: list[str]) -> str | None:
    while isinstance(command, click.Group) and words and not words[0].startswith(("-", "...")):
        found = command.commands.get(words[0])
        if found is None:
            return f"{name} has no command {words[0]}"
        name, command, words = f"{name} {words[0]}", found, words[1:]
    options = {option for one in command.params if isinstance(one, click.Option) for option in one.opts}
    options |= {"--help", "-h", "--version"}
    taken = words[: words.index("--")] if "--" in words else words
    for word in taken:
        option = word.partition("=")[0]
        if option.startswith("-") and option != "-" and option not in options:
            return f"{name} has no option {option}"
    return None


def _in_make(words: list[str]) -> str | None:
    targets = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    unknown = [word for word in words if not ASSIGNMENT.match(word) and word not in targets]
    return f"the Makefile has no target {unknown[0]}" if unknown else None


def _in_aws(words: list[str]) -> str | None:
    service, *rest = words
    if service in ("s3", "sso", "configure") or not rest:
        return None
    model_name = {"s3api": "s3"}.get(service, service)
    operations = _aws_operations(model_name)
    if operations is None:
        return f"AWS has no service {service}"
    if rest[0] not in operations:
        return f"aws {service} has no command {rest[0]}"
    known = operations[rest[0]] | GLOBAL_AWS_OPTIONS
    unknown = [word for word in rest[1:] if word.startswith("--") and word not in known]
    return f"aws {service} {rest[0]} has no option {unknown[0]}" if unknown else None


@functools.cache
def _aws_operations(service: str) -> dict[str, set[str]] | None:
    """The commands of the AWS command line for a service, which follow from the API's own names."""
    try:
        model = botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return None
    found = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        options = {f"--{xform_name(member, '-')}" for member in (shape.members if shape else ())}
        found[xform_name(name, "-")] = options | {option.replace("--", "--no-", 1) for option in options}
    return found

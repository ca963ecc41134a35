"""``python -m tools.docs.reference`` writes ``docs/reference`` and the tables in ``docs/prices.md`` from the code.

A test compares what is committed with what this makes, so that neither can go stale.
"""

from __future__ import annotations

import inspect
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
import panicroom
from panicroom.cli import cli as panicroom_cli
from panicroom.exit_codes import EXPLANATIONS, ExitCode
from panicroom.places import Places
from panicroom.setting_values import SETTING_NAMES
from panicroom.setup.settings_file import write_settings

from chalicelib import config
from chalicelib.domain.audit.codes.code import Code, Concern
from chalicelib.domain.audit.finding_codes import CODES
from chalicelib.domain.refusals import STATUS_OF
from chalicelib.wire import ErrorCode
from ops.cli import commands
from ops.deploy.deployer_policy import deployer_policy
from ops.functions.chalice_config import function_environment
from ops.functions.package import PROJECT
from ops.stages import LOCAL, Stage
from tools.docs import openapi
from tools.docs.error_meanings import MEANINGS
from tools.docs.man_page import share_files
from tools.docs.price_examples import price_blocks

FOLDER = Path("docs/reference")
PRICES = Path("docs/prices.md")
MADE = "<!-- Made by `python -m tools.docs.reference`; do not edit. -->\n"

CLIENT_VARIABLES = {
    "PASSPHRASE": "wins over the stored passphrase",
    "NEW_PASSPHRASE": "at `passphrase change --yes`: the new passphrase",
    "PANICROOM_KEYRING": "`file`: at `enrol`, keep secrets in a private file though there is a keyring",
    "PANICROOM_CONFIG_DIR": "another folder for the settings",
    "PANICROOM_STATE_DIR": "another folder for the log and what must survive",
    "PANICROOM_CACHE_DIR": "another folder for what can be made again",
    "PANICROOM_WITHOUT": "names of speed patches to leave out, with commas between: for measuring what each saves",
}

SERVICE_VARIABLES = {
    "PANICROOM_STAGE": "what the stage is called",
    "PANICROOM_BUCKET": "the service's own bucket",
    "PANICROOM_TABLE": "the table of machines, jobs, sets and findings",
    "PANICROOM_QUEUE": "the queue of S3's events",
    "PANICROOM_QUEUE_ARN": "the same queue, as a bucket's notifications name it",
    "PANICROOM_DEAD_LETTER_QUEUE": "where SQS puts events that could not be catalogued",
    "PANICROOM_SENDER": "the address that mail comes from",
    "PANICROOM_RECIPIENTS": "the owner's addresses, with commas between",
    "PANICROOM_TIME_ZONE": "the owner's time zone, for the hour of the weekly mail and for times in it",
    "PANICROOM_REPORT_WEEKDAY": "the day of the weekly mail",
    "PANICROOM_REPORT_HOUR": "its hour, 0 to 23",
    "PANICROOM_MONTHLY_BUDGET": "USD a month, such as `5`; empty for none",
    "PANICROOM_DISCARD_FUNCTION": "the one function that may write delete markers",
    "POWERTOOLS_SERVICE_NAME": "the service's name in log lines",
    "POWERTOOLS_LOG_LEVEL": "how much is logged",
}


def generated_files(project: Path = PROJECT) -> dict[Path, str]:
    """Every generated document: path in the project -> text."""
    pages = {
        "owner-commands.md": commands_page(
            "The owner's commands",
            "python -m ops",
            commands,
            "With AWS credentials, from a clone.",
        ),
        "machine-commands.md": commands_page(
            "The commands of a machine that backs up",
            "panicroom",
            panicroom_cli,
            "On the laptop or server.",
        ),
        "settings.md": settings_page(),
        "findings.md": findings_page(),
        "deployer-policy.md": deployer_policy_page(),
        "errors.md": errors_page(),
        "exit-codes.md": exit_codes_page(),
        "openapi.json": json.dumps(openapi.description(), indent=1) + "\n",
    }
    files = {FOLDER / name: text for name, text in pages.items()} | share_files()
    return files | {PRICES: with_blocks((project / PRICES).read_text(encoding="utf-8"), price_blocks())}


def with_blocks(text: str, blocks: Mapping[str, str]) -> str:
    """The document with what stands between ``<!-- table: NAME -->`` and ``<!-- end -->`` made anew."""
    for name, block in blocks.items():
        before, marker, rest = text.partition(f"<!-- table: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not (marker and end):
            raise LookupError(f"{PRICES} has no place for the table {name}")
        text = f"{before}{marker}\n{block}\n{end}{after}"
    return text


def write(project: Path = PROJECT) -> None:
    for path, text in generated_files(project).items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, encoding="utf-8")


# ---------------------------------------------------------------- commands

EXAMPLES_TYPED_IN = {
    "panicroom backup": "client/tests/test_policy.py",
    "panicroom enrol": "client/tests/test_commands.py",
    "panicroom restore": "client/tests/test_end_to_end.py",
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


# ---------------------------------------------------------------- settings


def settings_page() -> str:
    """The client's settings file as ``enrol`` writes it, and every variable that client and functions read."""
    template = _settings_file()
    missing = [name for name in client_setting_names() if not re.search(rf"(?m)^(# )?{name} =", template)]
    if missing:
        raise LookupError(f"the settings file that enrol writes does not explain {', '.join(missing)}")
    set_by_us = function_environment(LOCAL)
    names = _names_in(Path(config.__file__).read_text(), "environment") | set(set_by_us)
    unexplained = (names - set(SERVICE_VARIABLES) - {"AWS_REGION"}) | (
        _client_variables() - set(CLIENT_VARIABLES)
    )
    if unexplained:
        raise LookupError(f"tools/docs/reference.py does not explain {', '.join(sorted(unexplained))}")
    client_rows = [(f"`{name}`", said) for name, said in CLIENT_VARIABLES.items()]
    service_rows = [
        (f"`{name}`", said, f"`{set_by_us[name]}`" if set_by_us.get(name) else "")
        for name, said in SERVICE_VARIABLES.items()
        if name in names
    ]
    return "\n".join(
        [
            f"# Settings\n\n{MADE}",
            "## A machine that backs up\n",
            (
                "`panicroom.toml`, as `panicroom enrol` writes it. What stands behind a `#` is what holds where nothing"
                " is set.\n"
            ),
            f"```toml\n{template.strip()}\n```\n",
            (
                "How often, how much later is still well, where things are stored and for how long is set by the owner"
                " with `python -m ops machine set`.\n"
            ),
            "Variables of the environment:\n",
            _table(("variable", "does"), client_rows),
            "## The functions\n",
            "Written when the service is deployed; nobody edits these.\n",
            _table(("variable", "what it is", "on the local stack"), service_rows),
        ]
    )


def deployer_policy_page() -> str:
    """The policy for an example account; the command prints it for one's own."""
    stage = Stage(
        name="home",
        account="111122223333",
        region="eu-central-1",
        sender="ada@example.org",
        recipients=("ada@example.org",),
    )
    policy = json.dumps(deployer_policy(stage), indent=2)
    return "\n".join(
        [
            f"# What whoever deploys may do\n\n{MADE}",
            "The smallest IAM policy for `python -m ops deploy`, `doctor` and `destroy`: here for the stage `home` in",
            "account 111122223333. `python -m ops deploy --stage home --policy` prints it for your own.",
            "By itself it reads and deletes no backup ([what its holder can do all the",
            "same](../security.md#what-whoever-deploys-can-do)); `destroy --with-data` needs more.",
            "The tests deploy with no more.\n",
            f"```json\n{policy}\n```\n",
        ]
    )


def _settings_file() -> str:
    """What ``enrol`` leaves on a laptop."""
    with tempfile.TemporaryDirectory() as folder:
        place = Places(Path(folder), Path(folder), Path(folder))
        url = "https://abc123.execute-api.eu-central-1.amazonaws.com/api"
        sources = {"system": Path("/home/anna")}
        write_settings(place, url, "anna-laptop", "keyring", sources)
        return place.settings_file.read_text(encoding="utf-8")


def client_setting_names() -> list[str]:
    """The names that the client reads from its file, as its code has them."""
    return sorted({name for names in SETTING_NAMES.values() for name in names})


def _names_in(source: str, variable: str) -> set[str]:
    return set(re.findall(rf'{variable}(?:\.get\(|\[)"([A-Z_]+)"', source))


def _client_variables() -> set[str]:
    sources = [path.read_text() for path in Path(panicroom.__file__).parent.rglob("*.py")]
    asked = {name for source in sources for name in _names_in(source, "os.environ")}
    asked |= {name for source in sources for name in re.findall(r'\bplace\("([A-Z_]+)"', source)}
    ours = {
        name for name in asked if name in ("PASSPHRASE", "NEW_PASSPHRASE") or name.startswith("PANICROOM_")
    }
    return ours - {"PANICROOM_CHILD"}


# ---------------------------------------------------------------- findings, errors and exit codes


CONCERNS = {
    Concern.SETS: "Backups",
    Concern.OBJECTS: "Files in the bucket",
    Concern.BUCKET: "Settings of a bucket",
    Concern.MACHINE: "Things that happened",
}


def findings_page() -> str:
    parts = [
        f"# What can be wrong\n\n{MADE}",
        "Each finding has a code that does not change. *Critical*: something cannot be restored, or will not be.",
        "*Warning*: it costs money, or hides what happens. What is *told at once* is mailed within minutes, other",
        "critical findings once an hour at most, warnings once a day. All stay in the weekly mail until gone.\n",
    ]
    for concern, title in CONCERNS.items():
        kinds = sorted(
            (kind for kind in CODES.values() if kind.concern is concern), key=lambda kind: kind.code
        )
        parts.append(f"## {title}\n")
        parts += [_finding(kind) for kind in kinds]
    return "\n".join(parts)


def _finding(kind: Code) -> str:
    marks = kind.severity.value + (", told at once" if kind.is_safety else "")
    title = f"{kind.title[0].upper()}{kind.title[1:]} ({marks})."
    return f"### {kind.code}\n\n{title} {kind.meaning}\n\n*What to do:* {kind.advice}\n"


def errors_page() -> str:
    unexplained = [code.value for code in ErrorCode if code not in MEANINGS]
    if unexplained:
        raise LookupError(f"tools/docs/error_meanings.py does not explain {', '.join(unexplained)}")
    rows = [
        (f"`{code.value}`", str(STATUS_OF[code]), MEANINGS[code])
        for code in sorted(ErrorCode, key=lambda code: code.value)
    ]
    return "\n".join(
        [
            f"# Errors of the API\n\n{MADE}",
            (
                'Every refusal is `{"error": code, "message": what to do}`, with `retry_after_seconds` where waiting'
                " helps. The message names the file, set or machine of the case. Where one file of a batch is refused,"
                " the others are answered all the same.\n"
            ),
            _table(("code", "HTTP", "means"), rows),
            (
                "API Gateway answers some calls before the service sees them: 401 without a token, 403 with one that is"
                " not accepted or for a route that is not there, 429 for too many calls at once. Those have a `message`"
                " only.\n"
            ),
        ]
    )


def exit_codes_page() -> str:
    rows = [(str(int(code)), said) for code, said in EXPLANATIONS.items() if code != ExitCode.START_AGAIN]
    return "\n".join(
        [
            f"# Exit codes\n\n{MADE}",
            "## panicroom\n",
            _table(("code", "means"), rows),
            "`panicroom duplicity` ends with duplicity's own code.\n",
            "## python -m ops\n",
            _table(
                ("code", "means"),
                [
                    ("0", "done"),
                    ("1", "not done; one line says why and what to do. Of `audit`: there are warnings"),
                    ("2", "the command line is wrong. Of `audit`: something critical was found"),
                ],
            ),
        ]
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write()

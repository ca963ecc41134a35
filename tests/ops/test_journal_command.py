"""``python -m ops journal``: typed against a running service, and what it shows of entries of any kind."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from chalicelib.fleet_wire import JournalListing, JournalRow
from ops.cli import commands
from ops.commands.arguments import options
from ops.commands.fleet import journal as journal_command
from tests.ops.conftest import Owner

ANNA = "arn:aws:iam::123456789012:user/anna"


def test_what_was_typed_is_shown_with_the_caller_that_sts_named(owner: Owner) -> None:
    owner.asks("machine", "add", "gate-1")
    owner.asks("machine", "pause", "gate-1")
    owner.types("machine", "pause", "no-such-machine")
    answer = owner.asks("journal", "--machine", "gate-1")
    root = f"arn:aws:iam::{'0' * 12}:root"  # whose keys the commands have on the local stack
    assert [(one["who"], one["what"]) for one in answer["entries"]] == [
        (root, "machine_add"),
        (root, "machine_pause"),
    ]
    said = owner.types("journal", "--machine", "gate-1").stdout
    assert "  gate-1: machine pause. No backups are expected until it is resumed." in said
    assert "No backups" not in owner.types("journal", "--since", "2099-01-01").stdout
    assert "must be a day or a time" in str(owner.types("journal", "--since", "yesterday").exception)


def shown(
    monkeypatch: pytest.MonkeyPatch,
    *entries: JournalRow,
    left_off: int = 0,
    terminal: bool = False,
    account: str = "123456789012",
) -> str:
    class Service:
        def ask(self, *_: object, **__: object) -> JournalListing:
            return JournalListing("2026-11-01T00:00:00Z", entries, left_off, account)

    monkeypatch.setattr(journal_command, "admin_client", lambda *_: Service())
    if terminal:
        monkeypatch.setattr(options, "console", Console(width=60, force_terminal=True, highlight=False))
    result = CliRunner().invoke(commands, ["journal"])
    assert result.exit_code == 0, result.output
    return result.stdout


def entry(**changes: Any) -> JournalRow:
    values = {
        "who": ANNA,
        "what": "machine_set",
        "machine": "web-1",
        "job": "system",
        "detail": "Changed: x.",
    }
    return JournalRow(at="2026-11-30T16:40:12Z", **{**values, **changes})


@pytest.mark.parametrize(
    ("who", "name"),
    [
        (ANNA, "user/anna"),
        ("arn:aws-cn:sts::123456789012:assumed-role/Admin/otto", "assumed-role/Admin/otto"),
        ("arn:aws:iam::123456789012:root", "root"),
        ("machine web-1", "machine web-1"),
        ("unknown caller", "unknown caller"),
    ],
)
def test_who_is_named_without_the_number_of_the_account(
    monkeypatch: pytest.MonkeyPatch, who: str, name: str
) -> None:
    assert shown(monkeypatch, entry(who=who)) == (
        f"2026-11-30 16:40 UTC  {name}\n  web-1/system: machine set. Changed: x.\n"
    )


@pytest.mark.parametrize("account", ["210987654321", ""])
def test_who_signed_with_another_account_is_not_taken_for_one_of_yours(
    monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    assert f"  {ANNA}\n" in shown(monkeypatch, entry(), account=account)


def test_hostile_text_stays_one_line_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "\x1b[31m[bold]x[/]\n2026-11-30 16:41 UTC  root\u202e"
    said = shown(monkeypatch, entry(who=hostile, machine=hostile, detail=hostile))
    assert len(said.splitlines()) == 2
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "[bold]x[/]\\n2026" in said


def test_sixty_columns_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    detail = "A code was made, valid until 2026-12-01 16:45 UTC. Its jobs: system, home, photos-2018."
    said = shown(monkeypatch, entry(detail=detail), terminal=True)
    assert len(said.splitlines()) > 2


def test_nothing_and_too_much_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch) == "Nothing was changed since 2026-11-01 00:00 UTC.\n"
    said = shown(monkeypatch, entry(), left_off=1200)
    assert said.startswith("Older ones are left out: 1,200. --machine or --since shows less.\n")

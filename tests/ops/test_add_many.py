"""``python -m ops machine add --from FILE``: typed against a running service, and what happens when it fails."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chalicelib.fleet_wire import AddedOfMany, MachineResult, MachinesAdded
from ops.cli import commands
from ops.commands.machines import add_many
from ops.errors import OpsError
from tests.ops.conftest import Owner


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "machines.csv"
    path.write_text("name;every\r\nlist-1;2d\r\nlist-2;1d\r\n", encoding="utf-8-sig")
    return path


def test_a_file_adds_them_all_and_typed_twice_does_no_harm(owner: Owner, file: Path, tmp_path: Path) -> None:
    target = tmp_path / "codes.json"
    said = owner.types("machine", "add", "--from", str(file), "--to", str(target)).stdout
    assert "Codes are secrets" in said
    codes = json.loads(target.read_text())
    assert [one["machine"] for one in codes] == ["list-1", "list-2"]
    assert all(one["code"] and one["recovery_code"] and one["api_url"] for one in codes)
    assert codes[0]["code"] not in said
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    shown = owner.types("machine", "add", "--from", str(file)).stdout.replace("\n", " ")
    assert "Where one is lost, `python -m ops machine recovery NAME` makes another." in shown
    again = owner.asks("machine", "add", "--from", str(file))
    assert [(one["machine"], one["recovery_code"]) for one in again] == [("list-1", None), ("list-2", None)]
    refused = owner.types("machine", "add", "--from", str(file), "--to", str(target))
    assert "is there already, and may have codes" in str(refused.exception)
    assert json.loads(target.read_text()) == codes


def test_what_the_service_refuses_is_said_with_its_line_and_leaves_no_file(
    owner: Owner, file: Path, tmp_path: Path
) -> None:
    file.write_text("name,group\nlist-8,\n\nlist-9,nowhere\n")
    target = tmp_path / "none.json"
    refused = owner.types("machine", "add", "--from", str(file), "--to", str(target))
    assert "line 4: list-9: There is no group called nowhere." in str(refused.exception)
    file.write_text("name,group,every\nlist-8,,soon\nlist-9,nowhere,\n")
    _, *lines = str(owner.types("machine", "add", "--from", str(file)).exception).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["line 2", "line 3"], "both kinds of faults at once"
    assert not target.exists()
    assert "list-8" not in owner.types("machine", "list").stdout


def test_faults_of_the_file_are_said_where_the_service_cannot_be_asked(file: Path, tmp_path: Path) -> None:
    file.write_text("name,every\nlist-1,soon\nlist-2,1d\n")
    done = CliRunner().invoke(
        commands, ["machine", "add", "--from", str(file), "--state", str(tmp_path / "none")]
    )
    assert "line 2: every: “soon” is no duration" in str(done.exception)


class Service:
    """Adds all but ``breaks``, takes no more calls after ``calls``, and refuses ``refuses`` once it is to be added."""

    api_url = "http://service"

    def __init__(self, breaks: str = "", calls: int = 1_000, refuses: str = "") -> None:
        self.breaks, self.calls, self.refuses = breaks, calls, refuses
        self.asked: list[tuple[int, bool]] = []

    def ask(self, _: object, __: str, *, machines: list[dict[str, Any]], **options: bool) -> MachinesAdded:
        if options.get("only_check"):
            return MachinesAdded(())
        if len(self.asked) == self.calls:
            raise OpsError("The line is down.")
        self.asked.append((len(machines), bool(options.get("new_codes"))))
        names = [one["name"] for one in machines]
        if self.refuses in names:
            return MachinesAdded((), (MachineResult(self.refuses, "It is being removed."),))
        added = [
            AddedOfMany(name, "not enrolled yet", None, f"CODE-{name}", "2026-12-01", "R") for name in names
        ]
        failed = [MachineResult(name, "It failed.") for name in names if name == self.breaks]
        return MachinesAdded(tuple(one for one in added if one.machine != self.breaks), (), tuple(failed))


def types(monkeypatch: pytest.MonkeyPatch, service: Service, *words: str) -> Any:
    monkeypatch.setattr(add_many, "admin_client", lambda *_: service)
    return CliRunner().invoke(commands, ["machine", "add", *words])


def list_of(path: Path, number: int) -> str:
    path.write_text("name\n" + "".join(f"m-{one}\n" for one in range(number)))
    return str(path)


def test_a_thousand_go_in_calls_of_a_hundred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    service = Service()
    done = types(monkeypatch, service, "--from", list_of(tmp_path / "m.csv", 1_000), "--new-codes", "--json")
    assert len(json.loads(done.stdout)) == 1_000
    assert service.asked == [(100, True)] * 10


def test_codes_that_were_made_are_not_lost_when_a_later_call_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = tmp_path / "codes.json"
    source = list_of(tmp_path / "m.csv", 250)
    done = types(monkeypatch, Service(calls=2), "--from", source, "--to", str(target))
    assert str(done.exception) == "The line is down."
    assert len(json.loads(target.read_text())) == 200


def test_what_is_refused_after_some_were_added_is_not_said_to_have_added_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = list_of(tmp_path / "m.csv", 250)
    done = types(monkeypatch, Service(refuses="m-150"), "--from", source)
    assert str(done.exception) == (
        "Only the first 100 machines were added. In the file:\nline 152: m-150: It is being removed."
    )
    assert "CODE-m-99" in done.stdout


def test_codes_that_cannot_be_written_are_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source, target = list_of(tmp_path / "m.csv", 2), tmp_path / "codes.json"

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(json, "dump", full)
    done = types(monkeypatch, Service(), "--from", source, "--to", str(target))
    assert str(done.exception) == f"{target} cannot be written: No space left on device. The codes are above."
    assert "CODE-m-0" in done.stdout
    assert "CODE-m-1" in done.stdout
    assert not target.exists()


def test_those_that_failed_are_named_after_the_codes_of_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = types(monkeypatch, Service(breaks="m-1"), "--from", list_of(tmp_path / "m.csv", 3))
    assert str(done.exception) == "These failed:\nm-1: It failed."
    assert "CODE-m-2" in done.stdout
    assert "CODE-m-1" not in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Name the machine, or a file of machines with --from."),
        (["web-1", "--new-codes"], "--to and --new-codes go with --from."),
        (["--from", "FILE", "--to", "-"], "--to takes the name of a file: --json prints the codes."),
        (["web-1", "--from", "FILE"], "leave out the name."),
        (["--from", "FILE", "--every", "1d", "--photos"], "leave out --photos, --every."),
    ],
)
def test_what_does_not_go_together_is_said(
    monkeypatch: pytest.MonkeyPatch, file: Path, words: list[str], said: str
) -> None:
    done = types(monkeypatch, Service(), *(str(file) if word == "FILE" else word for word in words))
    assert done.exit_code == 2
    assert said in done.output

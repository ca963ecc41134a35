"""Archived volumes brought back by the real service and the real client: what S3 was asked, and what came back."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.demo.compare_trees import record_tree
from ops.local.thaw_hook import ThawHook
from tests.end_to_end.api_thaws import hooked
from tests.end_to_end.conftest import Ended, Machine, Service

TRY_LATER, USAGE, PASSPHRASE_WRONG = 75, 2, 22
LONG_SECONDS = 600


@pytest.fixture
def hook(service: Service) -> Iterator[ThawHook]:
    with hooked(service.stack.endpoint, LONG_SECONDS) as hook:
        yield hook


@pytest.fixture(scope="module")
def machine(service: Service) -> Machine:
    """A full set of about eight volumes and an increment, snapshots of both; none archived yet."""
    machine = service.machine("thaw-laptop")
    chance = random.Random(5)
    for number in range(8):
        path = machine.source / f"d{number % 2}" / f"file-{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(chance.randbytes(600_000))
    (machine.source / "large").write_bytes(chance.randbytes(2_500_000))
    (machine.source / "empty").touch()
    machine.do("backup")
    machine.remember("full")
    (machine.source / "d0" / "new").write_text("new")
    with (machine.source / "d0" / "file-0").open("ab") as file:
        file.write(b"more")
    time.sleep(1.1)
    machine.do("backup")
    machine.remember("increment")
    service.wait_for_sets(machine.name, 2)
    return machine


@pytest.fixture
def archived(machine: Machine, hook: ThawHook, tmp_path: Path) -> Machine:
    """All of its volumes in Deep Archive, without a copy, and a client that remembers no thaw."""
    hook.freeze(machine.name, "STANDARD")
    hook.freeze(machine.name)
    hook.forget_calls()
    for path in (machine.folder / "state").rglob("thaws.json"):
        path.unlink()
    return machine


def waits(ended: Ended) -> None:
    assert ended.code == TRY_LATER, ended.said
    assert "then run again: panicroom " in ended.error


def volumes(service: Service, machine: Machine) -> set[str]:
    return {key for key in service.keys(f"{machine.name}/") if ".vol" in key}


def asked(service: Service, hook: ThawHook) -> set[str]:
    """The keys for which S3 was asked; each of them once."""
    calls = hook.calls()
    assert set(calls.by_key.values()) <= {1}, calls
    return {key.removeprefix(f"{service.stack.bucket}/") for key in calls.by_key}


def finish(service: Service, machine: Machine, hook: ThawHook, number: int) -> None:
    """Has a thaw done now, once S3 was asked for so many volumes: a function of its own does that."""
    service.wait(lambda: len(hook.calls().by_key), lambda asked: asked == number)
    hook.finish(machine.name)


def test_one_file_is_asked_for_thawed_and_restored_by_the_same_command(
    service: Service, archived: Machine, hook: ThawHook, tmp_path: Path
) -> None:
    command = ["restore", "d0/new", "--to", str(tmp_path / "out")]
    refused = archived.run(*command)
    assert refused.code == USAGE, refused.said
    assert "nothing was spent" in refused.error
    assert hook.calls().calls == 0
    (agreeing,) = re.findall(r"to agree, run: panicroom (.*)", refused.error)
    waits(archived.run(*agreeing.split()))
    waits(archived.run(*command))
    finish(service, archived, hook, 1)
    service.wait(lambda: archived.run(*command).code, lambda code: code == 0)
    assert (tmp_path / "out" / "d0" / "new").read_text() == "new"
    (key,) = asked(service, hook)
    assert "inc." in key


def test_a_folder_at_an_earlier_time_with_wait(
    service: Service, archived: Machine, hook: ThawHook, tmp_path: Path
) -> None:
    hook.delay(4)
    first = json.loads(archived.do("versions", "--json").output)[0]["time"]
    to = tmp_path / "out"
    ended = archived.do(
        "restore", "d1", "--time", first, "--to", str(to), "--yes", "--wait", "--tier", "standard"
    )
    assert ended.output.count("goes on by itself") == 1
    found, expected = record_tree(to), archived.snapshots["full"]
    assert {path: found[path] for path in found if path.startswith("d1")} == {
        path: expected[path] for path in expected if path.startswith("d1")
    }
    assert {path for path in found if "/" in path} == {path for path in expected if path.startswith("d1/")}
    assert asked(service, hook) < volumes(service, archived)
    tiers = {request["tier"] for request in hook.calls().requests}
    assert tiers == {"Standard"}


def test_everything_killed_in_the_wait_and_carried_on_pays_once(
    service: Service, archived: Machine, hook: ThawHook, tmp_path: Path
) -> None:
    to = tmp_path / "out"
    every = volumes(service, archived)
    archived.run_and_kill(
        lambda: len(hook.calls().by_key) == len(every), "restore", "--to", str(to), "--yes", "--wait"
    )
    assert not to.exists()
    waits(archived.run("restore", "--to", str(to)))
    finish(service, archived, hook, len(every))
    ended = archived.do("restore", "--to", str(to), "--wait")
    assert "(the newest backup)" in ended.output
    assert record_tree(to) == archived.snapshots["increment"]
    assert asked(service, hook) == every


def test_copies_that_have_lapsed_are_planned_and_asked_for_again(
    service: Service, archived: Machine, hook: ThawHook, tmp_path: Path
) -> None:
    hook.delay(1)
    to = tmp_path / "out"
    waits(archived.run("restore", "--to", str(to), "--yes"))
    service.wait(
        lambda: archived.run("restore", "d0/new", "--to", str(tmp_path / "a")).code, lambda code: code == 0
    )
    hook.expire(archived.name)
    refused = archived.run("restore", "--to", str(to))
    assert refused.code == USAGE, refused.said
    assert "nothing was spent; to agree, run: " in refused.error
    archived.do("restore", "--to", str(to), "--yes", "--wait")
    assert record_tree(to) == archived.snapshots["increment"]
    assert set(hook.calls().by_key.values()) == {2}


def test_volumes_that_are_archived_before_the_download_are_no_dead_end(
    service: Service, machine: Machine, hook: ThawHook, tmp_path: Path
) -> None:
    """The plan is made from a listing; by the download, a lifecycle rule has moved half of it."""
    hook.freeze(machine.name, "STANDARD")
    hook.delay(1)
    process = machine.start("restore", "--to", str(tmp_path / "out"), "--yes", "--wait")
    hook.freeze(machine.name)
    output, error = process.communicate(timeout=180)
    assert process.returncode == 0, output + error
    assert record_tree(tmp_path / "out") == machine.snapshots["increment"]


def test_beyond_the_budget_the_owner_approves_and_the_waiting_command_goes_on(
    service: Service, archived: Machine, hook: ThawHook, tmp_path: Path
) -> None:
    hook.delay(2)
    service.admin.call("machine_set", name=archived.name, thaw_budget_usd=0.0)
    try:
        refused = archived.run("restore", "large", "--to", str(tmp_path / "out"), "--yes")
        assert refused.code == TRY_LATER, refused.said
        (thaw,) = re.findall(r"thaw approve ([0-9a-f]{20})", refused.error)
        assert hook.calls().calls == 0
        process = archived.start("restore", "large", "--to", str(tmp_path / "out"), "--wait")
        time.sleep(3)
        assert process.poll() is None
        service.admin.call("thaw_approve", thaw=thaw)
        output, error = process.communicate(timeout=180)
        assert process.returncode == 0, output + error
    finally:
        service.admin.call("machine_set", name=archived.name, thaw_budget_usd=1.0)
    assert (tmp_path / "out" / "large").read_bytes() == (archived.source / "large").read_bytes()


def test_plain_and_verify_thaw_what_they_read(
    service: Service, archived: Machine, hook: ThawHook, tmp_path: Path
) -> None:
    hook.delay(1)
    archived.do("restore", "d1/file-1", "--plain", "--to", str(tmp_path / "out"), "--yes", "--wait")
    expected = (archived.source / "d1" / "file-1").read_bytes()
    assert (tmp_path / "out" / "d1" / "file-1").read_bytes() == expected
    assert 0 < len(asked(service, hook)) < len(volumes(service, archived))
    assert "equal" in archived.do("verify", "--yes", "--wait").output
    assert asked(service, hook) == volumes(service, archived)


def test_a_wrong_passphrase_is_said_before_money_is_spent(
    archived: Machine, hook: ThawHook, tmp_path: Path
) -> None:
    archived.passphrase, right = "wrong", archived.passphrase
    try:
        ended = archived.run("restore", "--to", str(tmp_path / "out"), "--yes")
    finally:
        archived.passphrase = right
    assert ended.code == PASSPHRASE_WRONG, ended.said
    assert hook.calls().calls == 0


def test_cost_and_files_say_what_is_archived_and_start_nothing(archived: Machine, hook: ThawHook) -> None:
    found = json.loads(archived.do("cost", "large", "--json").output)
    assert found["thaw"]["archived"] == found["volumes"] > 1
    assert {offer["tier"] for offer in found["thaw"]["tiers"]} == {"Bulk", "Standard"}
    assert found["month_usd"] > 0
    assert "11 of 11 files need a thaw (*): panicroom cost" in archived.do("files").error
    assert hook.calls().calls == 0

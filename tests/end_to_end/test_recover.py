"""A laptop is gone: another computer brings everything back from the line on its sheet, the code and the passphrase,
through Deep Archive, and its backups go on from there. Against the real service.

The tests build on each other, in the order in which they stand.
"""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from ops.demo.compare_trees import differences, record_tree
from ops.local.thaw_hook import ThawHook
from tests.end_to_end.conftest import Ended, Machine, Service
from tests.end_to_end.test_the_main_job import change, fill

NAME = "gone-laptop"
JOBS = ("system", "photos")


@pytest.fixture(scope="module")
def answer(service: Service) -> dict[str, str]:
    """What the owner's command printed when the machine was added."""
    added = service.admin.call("machine_add", name=NAME, jobs=list(JOBS))
    return {name: str(added[name]) for name in ("code", "recovery_code")}


@pytest.fixture(scope="module")
def old(service: Service, answer: dict[str, str]) -> Machine:
    """With a full backup and an increment of one job, and a full one of the other; all volumes in Deep Archive."""
    machine = Machine(NAME, service.laptops / NAME, service.gpg)
    photos = machine.folder / "photos"
    machine.source.mkdir(parents=True)
    photos.mkdir()
    sources = ["--source", f"system={machine.source}", "--source", f"photos={photos}", "--yes"]
    shown = machine.do("enrol", service.stack.api_url, answer["code"], *sources).output
    assert shown.count(answer["recovery_code"]) == 1
    machine.set("volume_mb", 1)
    fill(machine.source)
    (photos / "harbour.raw").write_bytes(os.urandom(2_500_000))
    machine.do("backup")
    change(machine.source)
    machine.do("backup", "system")
    machine.remember("newest")
    assert ThawHook(service.stack.endpoint).freeze(NAME) > 7
    return machine


@pytest.fixture(scope="module")
def new(service: Service, old: Machine) -> Machine:
    """An empty computer."""
    folder = service.laptops / "new-laptop"
    folder.mkdir()
    ThawHook(service.stack.endpoint).delay(0.5)
    return Machine(NAME, folder, service.gpg)


def targets(new: Machine) -> dict[str, Path]:
    return {job: new.folder / "back" / job for job in JOBS}


def recover(service: Service, new: Machine, code: str, *words: str) -> Ended:
    """As the QR code has it."""
    line = f"{service.stack.api_url}#{NAME}/{code}"
    return new.run("recover", line, "--to", str(new.folder / "back"), *words)


def test_a_wrong_code_gives_nothing(service: Service, new: Machine) -> None:
    ended = recover(service, new, "10924-HDEHH-F3JYH-1B2G9-5KZF8-N3050")
    assert ended.code == 11, ended.said
    assert "second half" in ended.error
    assert not new.settings.exists()


def test_it_shows_the_price_and_asks_before_anything_is_thawed(
    service: Service, new: Machine, answer: dict[str, str]
) -> None:
    ThawHook(service.stack.endpoint).forget_calls()
    ended = recover(service, new, answer["recovery_code"])
    assert ended.code == 2, ended.said
    assert ended.error.count("to agree, run: panicroom recover --yes") == 1
    assert answer["recovery_code"] not in ended.said
    assert ThawHook(service.stack.endpoint).calls().calls == 0


def test_everything_comes_back_from_the_archive_without_the_code_and_without_the_owner(
    service: Service, old: Machine, new: Machine
) -> None:
    service.admin.call("machine_set", name=NAME, thaw_budget_usd=0)
    ended = new.run("recover", "--yes")
    assert ended.code == 75, ended.said
    assert ended.error.count("then run again: panicroom recover --yes") == 2
    ended = service.wait(lambda: new.run("recover"), lambda ended: ended.code != 75)
    assert ended.code == 0, ended.said
    assert f"{NAME} is back: " in ended.output
    assert differences(old.snapshots["newest"], record_tree(targets(new)["system"])) == []
    restored = (targets(new)["photos"] / "harbour.raw").read_bytes()
    assert restored == (old.folder / "photos" / "harbour.raw").read_bytes()


def test_the_new_computer_reads_and_changes_nothing(service: Service, old: Machine, new: Machine) -> None:
    assert "harbour.raw" in new.do("files", "--job", "photos").output
    assert "this computer only reads, until " in new.do("status").output
    new.do("verify", "--quick", "--job", "photos")
    ended = new.run("backup")
    assert ended.code == 10, ended.said
    assert f"panicroom enrol {service.stack.api_url} CODE" in ended.error
    before = service.keys(f"{NAME}/")
    token = (new.folder / "config" / "secrets.json").read_text().split('"')[3]
    refused = httpx.post(
        f"{service.stack.api_url}/jobs/system/runs",
        headers={"Authorization": f"Bearer {NAME}.{token}"},
        json={"run": "a-run", "kind": "full"},
        timeout=30,
    )
    assert (refused.status_code, refused.json()["error"]) == (403, "read_only")
    assert service.keys(f"{NAME}/") == before
    old.do("status")


def test_a_stolen_laptops_token_is_revoked_and_the_sheet_still_works(
    service: Service, old: Machine, new: Machine, answer: dict[str, str]
) -> None:
    service.admin.call("machine_revoke", name=NAME)
    assert old.run("status").code == 12
    new.do("status")
    third = Machine(NAME, service.laptops / "third-laptop", service.gpg)
    third.folder.mkdir()
    ended = recover(service, third, answer["recovery_code"], "--dry-run")
    assert ended.code == 0, ended.said


def test_enrolled_there_the_next_backup_goes_on_with_the_same_chain(
    service: Service, old: Machine, new: Machine
) -> None:
    code = service.admin.call("machine_add", name=NAME)["code"]
    home = new.folder / "home"
    targets(new)["system"].rename(home)
    photos = targets(new)["photos"]
    sources = ["--source", f"system={home}", "--source", f"photos={photos}"]
    shown = new.do("enrol", service.stack.api_url, code, *sources, "--yes").output
    assert "The recovery code" not in shown, "the old paper stays good"
    stored = service.keys(f"{NAME}/system/data_")
    (home / "new").write_text("new")
    new.do("backup")
    added = {key: size for key, size in service.keys(f"{NAME}/system/data_").items() if key not in stored}
    assert len(added) == 1
    assert sum(added.values()) < 100_000
    assert all("-inc." in key for key in added)
    again = new.folder / "again"
    ThawHook(service.stack.endpoint).delay(0.5)
    new.do("restore", "--job", "system", "--to", str(again), "--yes", "--wait")
    assert differences(record_tree(home), record_tree(again)) == []
    assert old.run("backup").code == 12


def test_a_code_that_the_owner_has_ended_ends_its_readers(
    service: Service, new: Machine, answer: dict[str, str]
) -> None:
    third = Machine(NAME, service.laptops / "third-laptop", service.gpg)
    third.do("status")
    service.admin.call("machine_revoke", name=NAME, recovery=True)
    ended = third.run("status")
    assert ended.code == 12, ended.said
    assert "type the code again: panicroom recover" in ended.error
    assert recover(service, third, answer["recovery_code"]).code == 11
    new.do("status")

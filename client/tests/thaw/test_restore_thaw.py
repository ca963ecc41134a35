"""Restores of archived volumes, with real duplicity: what is asked of S3 is what is needed, and nothing ends in a dead
end."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from laptop import Laptop, next_second
from panicroom.exit_codes import ExitCode
from restore.changing_trees import look
from thaw.scenes import archive, fetched, make_backups, volumes


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_backups(laptop_of_file)
    return laptop_of_file


def waits(ended: subprocess.CompletedProcess[str]) -> None:
    assert ended.returncode == ExitCode.TRY_LATER, ended.stderr
    assert "then run again: panicroom restore" in ended.stderr


def test_a_restore_asks_ends_with_the_time_and_the_same_command_carries_on(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    out, thaws = backed_up.home / "out", backed_up.service.thaws
    asked = backed_up.run("restore", "--to", str(out))
    assert asked.returncode == ExitCode.USAGE
    assert "nothing was spent; to agree, run: panicroom restore" in asked.stderr
    assert re.search(r"^  bulk +\$0\.\d\d ", asked.stdout, re.MULTILINE), asked.stdout
    assert thaws.asked == []

    waits(backed_up.run("restore", "--to", str(out), "--yes"))
    waits(backed_up.run("restore", "--to", str(out)))
    assert not out.exists()
    assert not list(backed_up.home.glob(".panicroom-restore-*"))
    thaws.finish()
    backed_up.succeed("restore", "--to", str(out))
    assert look(out) == look(backed_up.source)
    assert sorted(thaws.asked) == volumes(backed_up)
    assert thaws.requests == ["plan", "plan", "start", "look", "look"]


def test_an_ordinary_restore_makes_no_call_about_thaws(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up, "full."))
    (kept,) = volumes(backed_up, "inc.")[-1:]
    assert kept not in backed_up.service.archived
    out = backed_up.home / "out"
    backed_up.succeed("restore", "folder/new-2", "--to", str(out))
    assert backed_up.service.thaws.requests == []


def test_wait_goes_on_by_itself(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    looks = []

    def on_look() -> None:
        looks.append(1)
        if len(looks) == 2:
            thaws.finish()

    thaws.on_look = on_look
    said = backed_up.succeed(
        "restore", "--to", str(out), "--yes", "--wait", "--max-cost", "5", "--tier", "standard"
    )
    assert look(out) == look(backed_up.source)
    assert len([line for line in said.splitlines() if "goes on by itself" in line]) == 1
    assert "(the newest backup)" in said


def test_a_backup_made_during_the_wait_is_the_newest_then(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"

    def on_look() -> None:
        thaws.on_look = lambda: None
        manifest = next(name for name in backed_up.service.names() if "full" in name and "manifest" in name)
        newer = re.sub(r"\d{8}T\d{6}Z", "20991231T000000Z", manifest)
        backed_up.service.store(newer, b"another full backup")
        thaws.finish()

    thaws.on_look = on_look
    said = backed_up.succeed("restore", "--to", str(out), "--yes", "--wait")
    assert look(out) == look(backed_up.source)
    assert "newest" not in said


def test_killed_while_it_waits_it_carries_on_without_paying_twice(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out, looked = backed_up.service.thaws, backed_up.home / "out", threading.Event()
    thaws.on_look = looked.set
    process = backed_up.start("restore", "--to", str(out), "--yes", "--wait")
    assert looked.wait(100)
    process.kill()
    process.communicate()
    asked = list(thaws.asked)
    thaws.finish()
    backed_up.succeed("restore", "--to", str(out))
    assert look(out) == look(backed_up.source)
    assert thaws.asked == asked
    assert thaws.requests.count("plan") == 1


def test_ctrl_c_in_the_wait_says_that_the_thaw_goes_on(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    looked = threading.Event()
    backed_up.service.thaws.on_look = looked.set
    process = backed_up.start("restore", "--to", str(backed_up.home / "out"), "--yes", "--wait")
    assert looked.wait(100)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    (line,) = err.strip().splitlines()
    assert "the thaw goes on without this computer" in line
    assert "then run again: panicroom restore" in line


def test_killed_while_it_downloads_it_asks_for_nothing_again(backed_up: Laptop) -> None:
    """In the middle of a file over several volumes, and between two files."""
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    waits(backed_up.run("restore", "--to", str(out), "--yes"))
    thaws.finish()
    asked = list(thaws.asked)
    for after in (2, 5):
        reached, left = threading.Event(), [after]

        def count(name: str, left: list[int] = left, reached: threading.Event = reached) -> None:
            left[0] -= ".vol" in name
            if left[0] <= 0:
                reached.set()

        backed_up.service.on_get = count
        process = backed_up.start("restore", "--to", str(out))
        while not reached.wait(0.05) and process.poll() is None:
            pass
        process.kill()
        process.communicate()
        backed_up.service.on_get = lambda _name: None
    if not out.exists():
        backed_up.succeed("restore", "--to", str(out))
    assert look(out) == look(backed_up.source)
    assert thaws.asked == asked
    assert thaws.requests.count("plan") == 1


def test_what_was_downloaded_or_restored_is_not_thawed_again(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    waits(backed_up.run("restore", "--to", str(out), "--yes"))
    thaws.finish()
    taken = threading.Event()
    backed_up.service.on_get = lambda name: taken.set() if ".vol9." in name else None
    process = backed_up.start("restore", "--to", str(out))
    assert taken.wait(100)
    process.kill()
    process.communicate()
    backed_up.service.on_get = lambda _name: None
    thaws.lapse()
    next(iter(thaws.thaws.values()))["state"] = "lapsed"
    thaws.asked.clear()
    waits(backed_up.run("restore", "--to", str(out), "--yes"))
    spool = {path.name for path in (backed_up.home / "cache").rglob("restoring-*/volumes/*.gpg")}
    assert spool
    assert thaws.asked
    assert not spool & set(thaws.asked)
    thaws.finish()
    backed_up.succeed("restore", "--to", str(out))
    assert look(out) == look(backed_up.source)


def test_a_copy_that_lapses_in_mid_download_is_planned_and_asked_for_again(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    waits(backed_up.run("restore", "--to", str(out), "--yes"))
    thaws.finish()
    gone = volumes(backed_up, "full.")[-1]

    def lapse(name: str) -> None:
        if ".vol" in name:
            thaws.lapse(gone)

    backed_up.service.on_get = lapse
    ended = backed_up.run("restore", "--to", str(out))
    assert ended.returncode == ExitCode.USAGE, ended.stderr
    assert "1 volume is archived" in ended.stderr
    assert "the same command carries on" in ended.stderr
    backed_up.service.on_get = lambda _name: None
    thaws.on_look = thaws.finish
    backed_up.succeed("restore", "--to", str(out), "--yes", "--wait")
    assert look(out) == look(backed_up.source)
    assert sorted(thaws.asked) == sorted([*volumes(backed_up), gone])


def test_volumes_archived_between_plan_and_download_are_thawed_in_the_same_command(backed_up: Laptop) -> None:
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    late = volumes(backed_up, "full.")[-2:]

    def freeze(name: str) -> None:
        if ".vol" in name:
            archive(backed_up, late)
            backed_up.service.on_get = lambda _name: None

    backed_up.service.on_get = freeze
    thaws.on_look = thaws.finish
    backed_up.succeed("restore", "--to", str(out), "--yes", "--wait")
    assert look(out) == look(backed_up.source)
    assert sorted(thaws.asked) == late


def test_another_time_and_another_path_into_the_same_target(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    waits(backed_up.run("restore", "--to", str(out), "--yes"))
    first = backed_up.service.sealed()[0].rsplit(".", 1)[-1]
    # All that it needs is on its way already.
    waits(backed_up.run("restore", "folder", "--time", first, "--to", str(out)))
    thaws.finish()
    backed_up.succeed("restore", "folder", "--time", first, "--to", str(out))
    assert look(out / "folder") == look(backed_up.home / "truth-0" / "folder")
    assert sorted(thaws.asked) == volumes(backed_up)


def test_the_same_restore_twice_at_once_pays_once(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out, looked = backed_up.service.thaws, backed_up.home / "out", threading.Event()
    thaws.on_look = looked.set
    first = backed_up.start("restore", "--to", str(out), "--yes", "--wait")
    assert looked.wait(100)
    second = backed_up.run("restore", "--to", str(out), "--yes")
    assert second.returncode == ExitCode.TRY_LATER
    assert "another restore into" in second.stderr
    # Into another folder: it waits for the same thaw.
    waits(backed_up.run("restore", "--to", str(backed_up.home / "other")))
    thaws.finish()
    _out, err = first.communicate(timeout=100)
    assert first.returncode == 0, err
    backed_up.succeed("restore", "--to", str(backed_up.home / "other"))
    assert sorted(thaws.asked) == volumes(backed_up)


def test_a_wrong_passphrase_is_said_before_money_is_spent(backed_up: Laptop) -> None:
    """Though everything that is needed for the plan is here, decrypted."""
    archive(backed_up, volumes(backed_up))
    for words in (["restore", "--to", str(backed_up.home / "out")], ["verify"]):
        ended = backed_up.run(*words, "--yes", PASSPHRASE="wrong")
        assert ended.returncode == ExitCode.PASSPHRASE, ended.stderr
    ended = backed_up.run(
        "restore", "--plain", "--to", str(backed_up.home / "o"), "--yes", PASSPHRASE="wrong"
    )
    assert ended.returncode == ExitCode.PASSPHRASE, ended.stderr
    assert backed_up.service.thaws.requests == []


def test_a_target_that_is_not_empty_is_said_before_money_is_spent(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    for more in ([], ["--plain"]):
        ended = backed_up.run("restore", "--to", str(backed_up.source), "--yes", *more)
        assert ended.returncode == ExitCode.TARGET
    assert backed_up.service.thaws.requests == []


def test_a_target_without_room_is_said_before_money_is_spent(backed_up: Laptop, tmp_path: Path) -> None:
    archive(backed_up, volumes(backed_up))
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk of one's own takes the rights of root, and Linux")
    try:
        ended = backed_up.run("restore", "--to", str(disk / "out"), "--yes")
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], capture_output=True, check=False)
    assert ended.returncode == ExitCode.SPACE, ended.stderr
    assert backed_up.service.thaws.requests == []


def test_a_full_set_that_is_made_between_plan_and_restore_is_restored_without_a_thaw(
    backed_up: Laptop,
) -> None:
    archive(backed_up, volumes(backed_up))
    out = backed_up.home / "out"
    waits(backed_up.run("restore", "--to", str(out), "--yes"))
    asked = list(backed_up.service.thaws.asked)
    next_second()
    backed_up.succeed("backup", "full")
    backed_up.succeed("restore", "--to", str(out))
    assert look(out) == look(backed_up.source)
    assert backed_up.service.thaws.asked == asked


def test_an_increment_that_is_made_between_plan_and_restore_asks_for_nothing_more(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    waits(backed_up.run("restore", "--to", str(out), "--yes"))
    (backed_up.source / "newer").write_text("newer")
    next_second()
    backed_up.succeed("backup")
    waits(backed_up.run("restore", "--to", str(out)))
    thaws.finish()
    backed_up.succeed("restore", "--to", str(out))
    assert look(out) == look(backed_up.source)
    assert sorted(thaws.asked) == sorted(set(volumes(backed_up)) & backed_up.service.archived)
    assert thaws.requests.count("plan") == 1


def test_a_lost_cache_and_another_computer_find_the_same_thaw(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    waits(backed_up.run("restore", "--to", str(out), "--yes"))
    shutil.rmtree(backed_up.home / "cache")
    for path in (backed_up.home / "state").rglob("thaws.json"):
        path.unlink()
    waits(backed_up.run("restore", "--to", str(out)))
    thaws.finish()
    backed_up.succeed("restore", "--to", str(out))
    assert look(out) == look(backed_up.source)
    assert sorted(thaws.asked) == volumes(backed_up)


def test_plain_thaws_what_duplicity_asks_for(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    waits(backed_up.run("restore", "folder/file-1", "--plain", "--to", str(out), "--yes"))
    thaws.finish()
    backed_up.succeed("restore", "folder/file-1", "--plain", "--to", str(out))
    expected = (backed_up.source / "folder" / "file-1").read_bytes()
    assert (out / "folder" / "file-1").read_bytes() == expected
    assert set(thaws.asked) == fetched(backed_up)
    assert len(thaws.asked) < len(volumes(backed_up))


def test_verify_shows_plan_and_price_and_compares_when_all_can_be_read(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws = backed_up.service.thaws
    ended = backed_up.run("verify")
    assert ended.returncode == ExitCode.USAGE
    assert "to agree, run: panicroom verify --yes --tier bulk" in ended.stderr
    assert re.search(r"^  standard +\$0\.\d\d ", ended.stderr, re.MULTILINE)
    assert "equal" in backed_up.succeed("verify", "--quick")
    assert thaws.asked == []
    thaws.on_look = thaws.finish
    (backed_up.source / "folder" / "file-3").write_bytes(b"changed")
    ended = backed_up.run("verify", "--yes", "--wait")
    assert ended.returncode == ExitCode.DIFFERENT, ended.stderr
    assert ended.stdout.count("folder/file-3") == 1
    assert sorted(thaws.asked) == volumes(backed_up)


def test_verify_begins_anew_where_a_copy_lapses_and_names_each_difference_once(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws = backed_up.service.thaws
    (backed_up.source / "e\nf").write_bytes(b"changed")
    gone = volumes(backed_up, "full.")[-1]

    def lapse(name: str) -> None:
        if ".vol" in name:
            thaws.lapse(gone)
            backed_up.service.on_get = lambda _name: None

    backed_up.service.on_get = lapse
    thaws.on_look = thaws.finish
    ended = backed_up.run("verify", "--yes", "--wait")
    assert ended.returncode == ExitCode.DIFFERENT, ended.stderr
    assert ended.stdout.count("e?f") == 1
    assert thaws.asked.count(gone) == 2


def test_nearest_thaws_the_older_volumes_as_well(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    lost = volumes(backed_up, "inc.")[0]
    del backed_up.service.objects[f"system/{lost}"]
    thaws.on_look = thaws.finish
    ended = backed_up.run("restore", "folder", "--nearest", "--to", str(out), "--yes", "--wait")
    assert ended.returncode == ExitCode.RESTORE_INCOMPLETE, ended.stderr
    first = (backed_up.home / "truth-0" / "folder" / "file-1").read_bytes()
    assert (out / "folder" / "file-1").read_bytes() == first
    assert set(thaws.asked) == fetched(backed_up)


def test_a_dry_run_shows_the_price_and_needs_no_target(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up, "full."))
    said = backed_up.succeed("restore", "large", "--dry-run")
    assert "must be thawed first" in said
    assert re.search(r"^  bulk +\$0\.0\d ", said, re.MULTILINE), said
    plan = json.loads(backed_up.succeed("restore", "large", "--dry-run", "--json"))
    assert plan["thaw"]["archived"] == plan["thaw"]["readable"] + len(plan["volumes"][0]["numbers"])
    assert {offer["tier"] for offer in plan["thaw"]["tiers"]} == {"Bulk", "Standard"}
    assert json.loads(backed_up.succeed("restore", "folder/new-1", "--dry-run", "--json"))["thaw"] is None
    assert backed_up.service.thaws.asked == []
    ended = backed_up.run("restore", "large")
    assert ended.returncode == ExitCode.USAGE
    assert "Missing option '--to'" in ended.stderr


def test_json_says_how_the_thaw_goes_on_and_asks_nothing(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    thaws.on_look = thaws.finish
    said = backed_up.succeed("restore", "--to", str(out), "--json", "--yes", "--wait")
    events = [json.loads(line) for line in said.splitlines()]
    states = [(event["state"], event["done"]) for event in events if event["event"] == "thaw"]
    assert states == [("thawing", 0), ("ready", len(volumes(backed_up)))]
    assert events[-1]["event"] == "restored"


def subsets(laptop: Laptop, seed: int) -> None:
    """Any volumes archived, any of these read from copies already, any paths and time: S3 is asked for exactly what is
    needed and cannot be read, and what comes back is what was there."""
    chance = random.Random(seed)
    names, thaws = volumes(laptop), laptop.service.thaws
    archive(laptop, chance.sample(names, chance.randrange(1, len(names) + 1)))
    thaws.copies.update(name for name in thaws.archived if chance.random() < 0.2)
    thaws.under_way.update(name for name in thaws.archived - thaws.copies if chance.random() < 0.1)
    before = thaws.copies | thaws.under_way
    thaws.on_look = thaws.finish
    step = chance.randrange(3)
    truth, time_of = laptop.home / f"truth-{step}", laptop.service.sealed()[step].rsplit(".", 1)[-1]
    every = sorted(str(path.relative_to(truth)) for path in truth.rglob("*") if not path.is_symlink())
    paths = chance.sample(every, chance.randrange(0, 4))
    out = laptop.home / "out"
    laptop.succeed("restore", *paths, "--time", time_of, "--to", str(out), "--yes", "--wait")
    for path in paths or ["."]:
        assert look(out / path) == look(truth / path)
    assert sorted(thaws.asked) == sorted((fetched(laptop) & thaws.archived) - before)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_asked_for_is_what_is_needed(backed_up: Laptop, seed: int) -> None:
    subsets(backed_up, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4, 100))
def test_what_is_asked_for_is_what_is_needed_a_hundred_times(backed_up: Laptop, seed: int) -> None:
    subsets(backed_up, seed)

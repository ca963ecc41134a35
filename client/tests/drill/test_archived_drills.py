"""Drills of volumes in an archive class: asked for, waited for, and carried on with; a restore goes first."""

from __future__ import annotations

import random
import threading

import pytest
from drill.scenes import drilled, freeze, make_chains, memory, volumes, work_folders
from laptop import Laptop
from panicroom.exit_codes import ExitCode
from restore.changing_trees import look


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_chains(laptop_of_file)
    return laptop_of_file


@pytest.fixture
def archived(backed_up: Laptop) -> Laptop:
    freeze(backed_up)
    return backed_up


def waits(laptop: Laptop) -> None:
    code, said = drilled(laptop)
    assert (code, said["outcome"]) == (ExitCode.TRY_LATER, "asked"), said
    assert "then run again: panicroom drill" in said["message"]


def test_it_asks_ends_with_the_time_and_the_next_call_goes_on(archived: Laptop) -> None:
    thaws = archived.service.thaws
    waits(archived)
    asked = list(thaws.asked)
    assert 1 <= len(asked) <= 3
    (report,) = archived.service.drills.reports
    assert report["volumes"] == len(asked)
    assert "one is under way since" in archived.succeed("status")
    waits(archived)
    thaws.finish()
    code, said = drilled(archived)
    assert code == 0, said
    assert said["volumes"] == sorted(asked) == sorted(thaws.asked)
    assert thaws.requests == ["plan", "start", "look", "look"]
    assert all(thaw["drill"] for thaw in thaws.thaws.values())
    assert {name for name in archived.service.sent if ".vol" in name} == set(asked)
    assert archived.service.drills.outcomes == ["asked", "asked", "passed"]


def test_killed_when_it_had_asked_it_asks_for_nothing_more(archived: Laptop) -> None:
    """The answer to the start is the last that came."""
    reached = threading.Event()

    def loses(_method: str, path: str) -> bool:
        if path.endswith("/start"):
            reached.set()
        return path.endswith("/start")

    archived.service.loses_answer = loses
    process = archived.start("drill")
    assert reached.wait(100)
    process.kill()
    process.communicate()
    archived.service.loses_answer = lambda _method, _path: False
    asked = list(archived.service.thaws.asked)
    assert asked
    waits(archived)
    archived.service.thaws.finish()
    assert drilled(archived)[0] == 0
    assert archived.service.thaws.asked == asked


def test_killed_before_it_asked_it_asks_for_what_it_had_chosen(archived: Laptop) -> None:
    reached = threading.Event()

    def trouble(_method: str, path: str) -> int | None:
        if path.endswith("/thaws"):
            reached.set()
            return 503
        return None

    archived.service.trouble = trouble
    process = archived.start("drill")
    assert reached.wait(100)
    process.kill()
    process.communicate()
    picks = memory(archived)["picks"]
    archived.service.trouble = lambda _method, _path: None
    waits(archived)
    assert memory(archived)["picks"] == picks


def test_killed_while_it_reads_the_copies_it_pays_once(archived: Laptop) -> None:
    thaws = archived.service.thaws
    waits(archived)
    thaws.finish()
    asked, reached = list(thaws.asked), threading.Event()
    archived.service.on_get = lambda name: reached.set() if ".vol" in name else None
    process = archived.start("drill")
    assert reached.wait(100)
    process.kill()
    process.communicate()
    code, said = drilled(archived)
    assert code == 0, said
    assert thaws.asked == asked
    assert work_folders(archived) == []


def test_copies_that_lapsed_unread_are_asked_for_again(archived: Laptop) -> None:
    thaws = archived.service.thaws
    waits(archived)
    thaws.finish()
    picks = memory(archived)["picks"]
    thaws.lapse()
    next(iter(thaws.thaws.values()))["state"] = "lapsed"
    waits(archived)
    assert memory(archived)["picks"] == picks
    thaws.finish()
    assert drilled(archived)[0] == 0


def test_copies_that_lapse_in_the_middle_are_asked_for_again(archived: Laptop) -> None:
    thaws = archived.service.thaws
    waits(archived)
    thaws.finish()

    def lapse(name: str) -> None:
        if ".vol" in name:
            thaws.lapse()
            next(iter(thaws.thaws.values()))["state"] = "lapsed"
            archived.service.on_get = lambda _name: None

    before = set(thaws.asked)
    archived.service.on_get = lapse
    waits(archived)
    assert set(thaws.asked) == before
    assert len(thaws.asked) > len(before)
    assert work_folders(archived) == []
    thaws.finish()
    assert drilled(archived)[0] == 0


def test_a_used_up_allowance_is_skipped_and_is_no_failure(archived: Laptop) -> None:
    archived.service.thaws.drill_allowance_usd = 0.0
    code, said = drilled(archived)
    assert (code, said["outcome"]) == (ExitCode.TRY_LATER, "skipped"), said
    assert "the allowance for drills is used up this month" in said["message"]
    assert archived.service.thaws.asked == []
    archived.service.thaws.drill_allowance_usd = 1.0
    waits(archived)


def test_an_unknown_price_is_skipped(archived: Laptop) -> None:
    archived.service.thaws.price_known = False
    code, said = drilled(archived)
    assert (code, said["outcome"]) == (ExitCode.TRY_LATER, "skipped"), said
    assert archived.service.thaws.asked == []


def test_copies_are_kept_until_the_next_scheduled_backup(archived: Laptop) -> None:
    """A machine that backs up once a week comes back when copies of three days are gone."""
    waits(archived)
    (line,) = archived.service.thaws.lines
    asked_bytes = sum(
        len(archived.service.objects[f"system/{name}"].data) for name in archived.service.thaws.asked
    )
    assert line == max(1, asked_bytes // 86400)


def test_a_restore_goes_first_and_takes_the_tier_that_it_wants(archived: Laptop) -> None:
    """Also where the drill has asked for some of its volumes."""
    thaws, out = archived.service.thaws, archived.home / "out"
    waits(archived)
    ended = archived.run("restore", "--to", str(out), "--yes", "--tier", "standard")
    assert ended.returncode == ExitCode.TRY_LATER, ended.stderr
    assert "are being thawed" in ended.stderr
    assert [thaw.get("tier") for thaw in thaws.thaws.values() if thaw["state"] == "thawing"] == ["Standard"]
    waits(archived)
    thaws.finish()
    archived.succeed("restore", "--to", str(out))
    assert look(out) == look(archived.source)
    assert drilled(archived)[0] == 0
    assert len(thaws.asked) == len(set(thaws.asked))


def test_a_restore_of_the_very_volumes_of_a_drill_takes_its_thaw_over(laptop: Laptop) -> None:
    (laptop.source / "file").write_bytes(random.Random(1).randbytes(200_000))
    laptop.enrol()
    laptop.succeed("backup")
    freeze(laptop)
    waits(laptop)
    ended = laptop.run("restore", "--to", str(laptop.home / "out"), "--yes")
    assert ended.returncode == ExitCode.TRY_LATER
    (thaw,) = laptop.service.thaws.thaws.values()
    assert thaw["drill"] is False
    laptop.service.thaws.finish()
    laptop.succeed("restore", "--to", str(laptop.home / "out"))
    assert drilled(laptop)[0] == 0
    assert len(laptop.service.thaws.asked) == 1


def test_a_wrong_passphrase_and_a_lost_volume_are_said_before_money_is_spent(archived: Laptop) -> None:
    assert drilled(archived, PASSPHRASE="wrong")[0] == ExitCode.PASSPHRASE
    del archived.service.objects[f"system/{volumes(archived)[0]}"]
    assert drilled(archived)[0] == ExitCode.RESTORE_INCOMPLETE
    assert archived.service.thaws.requests == []


def test_what_was_picked_and_is_gone_is_picked_anew(archived: Laptop) -> None:
    waits(archived)
    picked = {pick[0] for pick in memory(archived)["picks"]}
    oldest = archived.service.sealed()[:2]
    assert picked & set(oldest)
    for name in oldest:
        archived.service.lose(name.split(".")[-1])
    waits(archived)
    assert not {pick[0] for pick in memory(archived)["picks"]} & set(oldest)

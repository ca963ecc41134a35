"""When a photo job counts as settled, whatever becomes of its backup; a stand-in makes the sets."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from panicroom.exit_codes import ExitCode, Problem
from panicroom.photos import settled as settled_module
from panicroom.photos.hashes import HashedFile, held_hashes
from panicroom.photos.pile import photo_backup
from panicroom.photos.pile.photo_backup import PhotoBackups
from panicroom.photos.walk import Walk, recall_walk
from panicroom.photos.walking import steady_walk, walk_through
from panicroom.places import Places
from panicroom.settings import JobSettings, Settings
from panicroom.terminal.run_totals import RunTotals
from panicroom.wire import JobStatus, MachineStatus
from photos.piles import make_pictures

NEVER, LATER = "2031-01-01T00:00:00Z", "2031-01-02T00:00:00Z"
TOTALS = RunTotals("photos-2018", "full", False, 2, 0, 0, 1, 1, 1.0, (), 0, "")


class _Lines:
    """A reporter that stores what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def event(self, event: dict[str, Any]) -> None:
        self.lines.append(str(event))


class _Scene:
    """One photo job, and a service that knows a newest set of it. ``made`` counts the backups."""

    def __init__(self, base: Path) -> None:
        places = Places(base / "config", base / "state", base / "cache")
        self.folder = base / "Pictures" / "2018"
        make_pictures(self.folder)
        self.job = JobSettings("photos-2018", self.folder, family="photos")
        self.settings = Settings("https://x", "laptop", "file", 25, 12, (self.job,), places)
        self.newest: str | None = NEVER
        self.made, self.agreed, self.lines = 0, False, _Lines()
        self.is_full = False
        self.during: Callable[[], RunTotals] = lambda: TOTALS
        archive = self.settings.archive("photos-2018")
        archive.mkdir(parents=True)
        (archive / "meta_duplicity-full.manifest").touch()

    def back_up(self, *, always: bool = False) -> bool:
        """Whether a backup was made. Raises what it raised."""
        made = self.made
        backups = PhotoBackups(self.settings, self.lines, lambda _text: self.agreed, lambda _name, _why: None)  # type: ignore[arg-type]
        job = JobStatus("photos-2018", "fresh", 1, 1, "X", 1, newest_complete_at=self.newest, family="photos")
        backups.__dict__["status"] = MachineStatus("laptop", NEVER, (job,), "1", "1")
        backups.back_up(self.job, self._make, always=always)
        return self.made > made

    def _make(self, _renamed: int, before_new_chain: Callable[[], None]) -> RunTotals:
        if self.is_full:
            before_new_chain()
        self.made += 1
        return self.during()

    @property
    def settles(self) -> bool:
        remembered = recall_walk(self.settings.job_state("photos-2018"))
        return remembered is not None and remembered.settles


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Scene:
    def at_once(settings: Settings, job: JobSettings) -> tuple[Walk, bool]:
        """Without the wait, as if the pictures were old."""
        walk, _steady = steady_walk(settings, job, lambda _seconds: None)
        return walk, True

    monkeypatch.setattr(photo_backup, "steady_walk", at_once)
    return _Scene(tmp_path)


def test_after_a_backup_nothing_is_made_until_something_changes(scene: _Scene) -> None:
    assert [scene.back_up() for _ in range(3)] == [True, False, False]
    make_pictures(scene.folder, files=1, seed=2)
    assert [scene.back_up() for _ in range(2)] == [True, False]
    assert scene.back_up(always=True)


def test_a_picture_that_comes_while_the_backup_is_made_is_in_the_next_one(scene: _Scene) -> None:
    def import_more() -> RunTotals:
        make_pictures(scene.folder, files=1, seed=3)
        return TOTALS

    scene.during = import_more
    assert scene.back_up()
    scene.during = lambda: TOTALS
    assert [scene.back_up() for _ in range(2)] == [True, False]


@pytest.mark.parametrize("failure", [Problem("offline", ExitCode.TRY_LATER), KeyboardInterrupt()])
def test_a_backup_that_ended_before_its_time_is_made_again(scene: _Scene, failure: BaseException) -> None:
    """Also where a new picture was deleted since, so that all is as at the last good backup."""
    scene.back_up()
    new = scene.folder / "new.raw"
    new.write_bytes(b"new")

    def fail() -> RunTotals:
        raise failure

    scene.during = fail
    with pytest.raises(type(failure)):
        scene.back_up()
    new.unlink()
    scene.during = lambda: TOTALS
    assert [scene.back_up() for _ in range(2)] == [True, False]


def test_a_picture_that_could_not_be_read_is_tried_again(scene: _Scene) -> None:
    """Nothing of its status changes once the disk can read it."""
    scene.during = lambda: dataclasses.replace(TOTALS, skipped=("IMG_1000.raw",))
    assert [scene.back_up() for _ in range(2)] == [True, True]
    scene.during = lambda: TOTALS
    assert [scene.back_up() for _ in range(2)] == [True, False]


def test_pictures_that_are_being_written_settle_nothing(
    scene: _Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        photo_backup,
        "steady_walk",
        lambda settings, job: (steady_walk(settings, job, lambda _s: None)[0], False),
    )
    assert [scene.back_up() for _ in range(2)] == [True, True]
    assert not scene.settles


@pytest.mark.parametrize("newest", [None, LATER, "2019-01-01T00:00:00Z"])
def test_another_newest_set_than_ours_settles_nothing(scene: _Scene, newest: str | None) -> None:
    """Ours is in quarantine, or whoever has a copy of the token has made another."""
    scene.back_up()
    assert not scene.back_up()
    scene.newest = newest
    assert scene.back_up()


def test_a_backup_that_the_service_does_not_know_yet_settles_nothing(scene: _Scene) -> None:
    scene.newest = (datetime.now(timezone.utc) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [scene.back_up() for _ in range(2)] == [True, True]


def test_without_the_cache_it_is_made_again(scene: _Scene) -> None:
    scene.back_up()
    next(scene.settings.archive("photos-2018").iterdir()).unlink()
    assert scene.back_up()


def test_what_was_renamed_waits_for_somebody_who_agrees(scene: _Scene) -> None:
    make_pictures(scene.folder / "wedding", size=6 * 2**20)
    scene.back_up()
    (scene.folder / "wedding").rename(scene.folder / "rome")
    with pytest.raises(Problem, match="wedding is rome now") as caught:
        scene.back_up()
    assert caught.value.exit_code == ExitCode.RENAMED
    scene.agreed = True
    assert scene.back_up()
    scene.agreed = False
    assert not scene.back_up()


def damage(scene: _Scene, name: str) -> Path:
    """Of a picture, as a check has found it."""
    path = scene.folder / name
    facts = walk_through(scene.settings, scene.job).files[name]
    with held_hashes(scene.settings.job_state("photos-2018"), "photos-2018") as store:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        store.add(HashedFile(name, *facts.facts, "good", 1, rotted=digest, good_at=1))
    return path


def test_a_full_backup_with_a_damaged_picture_waits_for_somebody_who_agrees(scene: _Scene) -> None:
    scene.back_up()
    damage(scene, "IMG_1000.raw")
    scene.is_full = True
    with pytest.raises(Problem, match=r"1 picture is damaged on the disk \(IMG_1000.raw\)") as caught:
        scene.back_up(always=True)
    assert caught.value.exit_code == ExitCode.ROTTED
    scene.agreed = True
    assert scene.back_up(always=True)


def test_an_increment_says_what_it_stores_damaged(scene: _Scene) -> None:
    scene.back_up()
    path = damage(scene, "IMG_1000.raw")
    make_pictures(scene.folder, files=1, seed=2)
    scene.back_up()
    assert not any("damaged" in line for line in scene.lines.lines), "it is not stored again"
    path.rename(scene.folder / "bride.raw")
    scene.back_up()
    assert "damaged on the disk, and stored as they are now: bride.raw" in scene.lines.lines[-1]
    make_pictures(scene.folder, files=1, seed=3)
    scene.back_up()
    assert len([line for line in scene.lines.lines if "damaged" in line]) == 1
    assert not scene.back_up()


def test_a_damaged_picture_whose_good_bytes_are_back_stops_nothing(scene: _Scene) -> None:
    scene.back_up()
    path = scene.folder / "IMG_1000.raw"
    good = path.read_bytes()
    with held_hashes(scene.settings.job_state("photos-2018"), "photos-2018") as store:
        digest = hashlib.sha256(good).hexdigest()
        store.add(HashedFile(path.name, len(good), 1, 1, digest, 1, rotted="bad", good_at=1))
    scene.is_full = True
    assert scene.back_up(always=True)
    assert "good again: IMG_1000.raw" in "".join(scene.lines.lines)


def test_all_that_are_settled_are_one_request(scene: _Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[tuple[str, int]] = []
    monkeypatch.setattr(
        photo_backup, "report_settled", lambda _settings, family, jobs: reported.append((family, len(jobs)))
    )
    scene.back_up()
    backups = PhotoBackups(scene.settings, _Lines(), lambda _text: False, lambda _name, _why: None)  # type: ignore[arg-type]
    jobs = [dataclasses.replace(scene.job, job=f"photos-{year}") for year in range(3)]
    looked = [settled_module.Looked(job, Walk(_scope(scene), {}, 0), None, True) for job in jobs]
    monkeypatch.setattr(photo_backup, "look_through", lambda _settings, job, _status: looked[jobs.index(job)])
    backups.__dict__["status"] = MachineStatus("laptop", NEVER, (), "1", "1")
    for job in jobs:
        backups.back_up(job, lambda: TOTALS, always=False)
    assert backups.report(dry_run=False)
    assert reported == [("photos", 3)]


def _scope(scene: _Scene) -> Any:
    remembered = recall_walk(scene.settings.job_state("photos-2018"))
    assert remembered is not None
    return remembered.walk.scope

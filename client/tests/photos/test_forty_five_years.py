"""Forty-five years of pictures: a week in which nothing was done to them costs two requests, and stores nothing."""

from __future__ import annotations

import io

import pytest
from fake_service import Stored, now_text
from laptop import Laptop
from panicroom.photos.pile.family import FamilyFolders
from panicroom.photos.walk import RememberedWalk, remember_walk
from panicroom.photos.walking import walk_through
from panicroom.settings import load_settings
from panicroom.terminal.plain_lines import PlainReporter
from panicroom.terminal.status import fetch_status
from photos.piles import enrol, pile, sets

YEARS = [str(year) for year in range(1982, 2027)]


def test_a_week_without_changes(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    top = pile(laptop, *YEARS)
    enrol(laptop)
    for name, value in laptop.environment().items():
        monkeypatch.setenv(name, value)
    _let_be_backed_up(laptop)
    objects, calls = dict(laptop.service.objects), []
    laptop.service.trouble = lambda method, path: calls.append(f"{method} {path}")
    out = laptop.succeed("backup")
    assert calls == ["GET /api/machine", "POST /api/jobs/photos/runs"]
    assert laptop.service.objects == objects
    assert "photos: 90 files in 45 jobs have not changed" in out
    assert len(laptop.service.families.checks) == 45
    assert top.is_dir()
    assert len(sets(laptop)) == 45


def _let_be_backed_up(laptop: Laptop) -> None:
    """Each folder becomes a job as by the command; what a backup leaves of each is put where it leaves it."""
    settings = load_settings()
    folders = FamilyFolders(
        settings,
        settings.families[0],
        PlainReporter(io.StringIO()),
        lambda: fetch_status(settings),
        lambda _text: False,
    )
    for job in folders.follow().settings.jobs:
        remember_walk(settings.job_state(job.job), RememberedWalk(walk_through(settings, job), settles=True))
        archive = settings.archive(job.job)
        archive.mkdir(parents=True)
        name = "meta_duplicity-full.20260101T000000Z.manifest"
        (archive / name).touch()
        laptop.service.objects[f"{job.job}/{name}.gpg"] = Stored(b"", "", now_text())

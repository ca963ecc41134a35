"""What a backup decides before it begins: whether it may, what belongs to it, and full or incremental."""

from __future__ import annotations

import os
import re
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laptop import Laptop
from panicroom.backup.policy import NewestChain, kind_by_policy, newest_chain
from panicroom.backup.preconditions.clock import seconds_behind
from panicroom.duplicity_run.sources import SourceMemory, SourceSelection, Survey, survey
from panicroom.exit_codes import ExitCode, Problem
from panicroom.setting_values import parse_multiple, parse_period
from panicroom.settings import JobSettings
from test_commands import one_clear_line

NOW = datetime(2026, 11, 22, 20, 50, tzinfo=timezone.utc)
FULL = "full.20260822T205000Z"  # 92 days before
INCREMENT = "inc.20260822T205000Z.to.20261121T205000Z"
AHEAD = "inc.20261121T205000Z.to.20261122T205130Z"


def chain_of(*sets: str, volume_bytes: int = 0) -> NewestChain | None:
    return newest_chain(sets, {f"data_duplicity-{name}.vol1.difftar.gpg": volume_bytes for name in sets})


@pytest.mark.parametrize(
    ("sets", "days", "kind"),
    [
        ([], None, "full"),
        ([], 90, "full"),
        ([FULL, INCREMENT], None, "incremental"),
        ([FULL, INCREMENT], 93, "incremental"),
        ([FULL, INCREMENT], 92, "full"),
        ([FULL, "full.20261121T205000Z"], 90, "incremental"),
        ([INCREMENT], 90, "full"),
    ],
)
def test_a_full_backup_is_due_when_there_is_none_or_when_the_newest_is_old(
    sets: list[str], days: int | None, kind: str
) -> None:
    job = JobSettings("system", Path("/home"), full_every=timedelta(days=days) if days else None)
    assert kind_by_policy(chain_of(*sets), job, 10**6, NOW) == kind


MB = 10**6


@pytest.mark.parametrize(
    ("source_bytes", "volume_bytes", "full_when", "kind"),
    [
        (10 * MB, 9 * MB, 2.0, "incremental"),
        (10 * MB, 10 * MB, 2.0, "full"),
        (10 * MB, 10 * MB, 2.5, "incremental"),
        (10 * MB, 100 * MB, None, "incremental"),
        (MB, 10 * MB, 2.0, "full"),  # the full set counts where it is larger than the source is now
        (MB, 10 * MB, 2.1, "incremental"),
        (70, 1000, 2.0, "incremental"),  # what surrounds a few small files is larger than they are
    ],
)
def test_a_full_backup_is_due_when_the_chain_has_outgrown_the_source(
    source_bytes: int, volume_bytes: int, full_when: float | None, kind: str
) -> None:
    job = JobSettings("system", Path("/home"), full_when=full_when)
    chain = chain_of(FULL, INCREMENT, volume_bytes=volume_bytes)
    assert kind_by_policy(chain, job, source_bytes, NOW) == kind


def test_a_chain_ends_after_two_years_or_250_sets_but_not_that_of_photos() -> None:
    files, photos = (JobSettings("system", Path("/home"), full_when=when) for when in (2.0, None))
    full = NOW - timedelta(days=100)
    increments = [
        f"inc.{full:%Y%m%dT%H%M%SZ}.to.{full + timedelta(hours=hour):%Y%m%dT%H%M%SZ}"
        for hour in range(1, 250)
    ]
    long = newest_chain([f"full.{full:%Y%m%dT%H%M%SZ}", *increments], {})
    old = newest_chain([f"full.{NOW - timedelta(days=730):%Y%m%dT%H%M%SZ}"], {})
    for chain in (long, old):
        assert kind_by_policy(chain, files, MB, NOW) == "full"
        assert kind_by_policy(chain, photos, MB, NOW) == "incremental"


@pytest.mark.parametrize("text", ["2", "x", "1x", "0.5x", "-2x", "2 x", "Never", "1.05x", "inf"])
def test_what_is_no_multiple_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        parse_multiple(text)


@pytest.mark.parametrize(("sets", "seconds"), [([], 0), ([FULL], 0), ([FULL, INCREMENT], 0), ([AHEAD], 90)])
def test_the_clock_must_be_past_the_newest_set(sets: list[str], seconds: int) -> None:
    assert seconds_behind(sets, NOW) == seconds


@given(st.integers(1, 99_999), st.sampled_from("dwmyDWMY"))
def test_periods_count_days(count: int, unit: str) -> None:
    period = parse_period(f"{count}{unit}")
    assert period == timedelta(days=count) * {"d": 1, "w": 7, "m": 30, "y": 365}[unit.lower()]


@pytest.mark.parametrize("text", ["0d", "90", "d", "-1d", "1.5y", "90 d", "Never", "1h"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        parse_period(text)


def enrol(laptop: Laptop) -> Laptop:
    for number in range(10):
        (laptop.source / f"file-{number}").write_text("content")
    laptop.enrol()
    return laptop


@pytest.fixture
def enrolled(laptop: Laptop) -> Laptop:
    return enrol(laptop)


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    enrol(laptop_of_file).succeed("backup")
    return laptop_of_file


def set_in_job(laptop: Laptop, line: str) -> None:
    settings = laptop.home / "config" / "panicroom.toml"
    key = line.split(" ")[0]
    settings.write_text(re.sub(rf"(?m)^#? ?{key} = .*$", line, settings.read_text()))


def test_a_wrong_period_is_named(enrolled: Laptop) -> None:
    set_in_job(enrolled, 'full_every = "often"')
    one_clear_line(enrolled.run("backup"), ExitCode.SETTINGS, "full_every", '"90D"')


def age(laptop: Laptop, days: int) -> None:
    """Makes what is stored so much older, and leaves nothing of it on the laptop."""
    stamp = re.compile(r"\d{8}T\d{6}Z")

    def older(match: re.Match[str]) -> str:
        then = datetime.strptime(match.group(), "%Y%m%dT%H%M%SZ") - timedelta(days=days)
        return then.strftime("%Y%m%dT%H%M%SZ")

    objects = laptop.service.objects
    laptop.service.objects = {stamp.sub(older, key): stored for key, stored in objects.items()}
    for stored in laptop.service.objects.values():
        stored.metadata.pop("proof", None)  # that is of the name
    for folder in ("cache", "state"):
        shutil.rmtree(laptop.home / folder)


def test_full_every_has_its_effect_on_the_backup(backed_up: Laptop) -> None:
    age(backed_up, 100)
    set_in_job(backed_up, 'full_every = "101d"')
    (backed_up.source / "file-0").write_text("changed")
    assert "system: incremental backup done" in backed_up.succeed("backup")
    set_in_job(backed_up, 'full_every = "3m"')
    assert "system: full backup done" in backed_up.succeed("backup")
    assert [run["kind"] for run in backed_up.service.runs] == ["full", "incremental", "full"]


def test_a_source_that_lost_half_its_files_is_not_backed_up(backed_up: Laptop) -> None:
    for number in range(4):
        (backed_up.source / f"file-{number}").unlink()
    backed_up.succeed("backup")
    for number in range(4, 7):
        (backed_up.source / f"file-{number}").unlink()
    for arguments in (["backup"], ["backup", "--dry-run"], ["backup", "full"]):
        ended = backed_up.run(*arguments)
        one_clear_line(ended, ExitCode.SMALLER, "3 files", "had 6", "--accept-smaller")
    assert len(backed_up.service.runs) == 2
    backed_up.succeed("backup", "--accept-smaller")
    backed_up.succeed("backup")


def test_another_folder_or_another_list_is_not_compared(tmp_path: Path) -> None:
    job = JobSettings("system", tmp_path)
    SourceMemory(tmp_path, job).keep(Survey(10, 10))
    with pytest.raises(Problem):
        SourceMemory(tmp_path, job).check(Survey(5, 5))
    SourceMemory(tmp_path, job).check(Survey(6, 1))
    SourceMemory(tmp_path, JobSettings("system", tmp_path / "other")).check(Survey(1, 1))
    (tmp_path / "list").write_text("- **/x\n")
    SourceMemory(tmp_path, JobSettings("system", tmp_path, tmp_path / "list")).check(Survey(1, 1))


def test_only_what_is_to_be_backed_up_is_counted(enrolled: Laptop) -> None:
    (enrolled.source / "caches").mkdir()
    (enrolled.source / "caches" / "large").write_bytes(b"x" * 100_000)
    set_in_job(enrolled, 'filelist = "exclude.txt"')
    (enrolled.home / "config" / "exclude.txt").write_text(f"- {enrolled.source}/caches\n")
    enrolled.succeed("backup")
    run = enrolled.service.runs[0]
    assert (run["source_files"], run["source_bytes"]) == (10, 70)
    (enrolled.home / "config" / "exclude.txt").write_text("- **\n")
    one_clear_line(enrolled.run("backup"), ExitCode.SOURCE, "file list")


LISTS = [
    "- **/.cache\n- **/*.o\n",
    "+ {root}/home/anna\n- **\n",
    "- {root}/home/anna/tmp\n+ {root}/home/anna\n+ **/*.txt\n- **\n",
    "+ **/keep\n- {root}/home\n",
    "# nothing but\n\n- ignorecase:**/BUILD\n",
    "'{root}/home/bob'\n",
    "- {root}/home/*/tmp\n+ {root}/home/a*\n- {root}/**\n",
]


TREE = [
    *("home/anna/a.txt", "home/anna/tmp/b.txt", "home/anna/.cache/c", "home/anna/x/keep"),
    *("home/bob/d.o", "home/bob/keep", "home/bob/tmp/e.txt", "home/build/f", "etc/g.txt", "etc/build/h"),
]


@pytest.mark.parametrize("text", LISTS)
def test_the_count_agrees_with_duplicitys_own_walk(tmp_path: Path, text: str) -> None:
    from duplicity import log, selection
    from duplicity.path import Path as DuplicityPath

    root = tmp_path / "root"
    for name in TREE:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    filelist = tmp_path / "list"
    filelist.write_text(text.format(root=root))

    log.setup()
    walk = selection.Select(DuplicityPath(os.fsencode(root)))
    with filelist.open() as file:
        walk.add_filelist(file, 0, "list")
    expected = sorted(path.uc_name for path in walk.set_iter() if not path.isdir())

    counted: list[str] = []
    survey(root, lambda path, _status: counted.append(path), SourceSelection(root, filelist))
    assert sorted(counted) == expected


def test_a_dry_run_says_what_a_backup_would_do_and_stores_nothing(enrolled: Laptop) -> None:
    said = enrolled.succeed("backup", "--dry-run")
    assert "system: full backup: 11 new, 0 changed, 0 deleted" in said
    assert enrolled.service.objects == {}
    assert enrolled.service.runs == []
    assert not enrolled.archive.exists()
    enrolled.succeed("backup")
    before = dict(enrolled.service.objects)
    (enrolled.source / "file-3").write_text("changed")
    (enrolled.source / "file-4").unlink()
    said = enrolled.succeed("backup", "--dry-run")
    assert "9 files" in said
    assert "system: incremental backup: 1 new, 1 changed, 1 deleted; nothing was stored" in said
    assert enrolled.service.objects == before
    assert len(enrolled.service.runs) == 1
    assert "system: incremental backup done: 1 new, 1 changed, 1 deleted" in enrolled.succeed("backup")

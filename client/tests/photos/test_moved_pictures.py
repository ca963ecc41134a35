"""Pictures that have another name or place: what would be uploaded again is asked about, the rest follows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from laptop import Laptop, next_second
from panicroom.exit_codes import ExitCode
from photos.piles import MB, enrol, make_pictures, pile, sets, settings_text, volume_bytes
from terminal import typed


@pytest.fixture
def pictures(laptop: Laptop) -> Path:
    """Two years that are backed up; one has a session of 12 MB."""
    top = pile(laptop, "2018", "2019")
    make_pictures(top / "2018" / "wedding", files=2, size=6 * MB)
    enrol(laptop)
    laptop.succeed("backup")
    next_second()
    return top


def increments(laptop: Laptop) -> int:
    return sum(len(kinds) - 1 for kinds in sets(laptop).values())


# ---------------------------------------------------------------- a session inside of a year


def test_a_renamed_session_is_not_uploaded_before_its_price_was_seen(laptop: Laptop, pictures: Path) -> None:
    rate = laptop.home / "state" / "laptop" / "upload-rate.json"
    rate.write_text(json.dumps({"bytes_a_second": 64 * 1024}))
    laptop.service.families.usd_a_gb_year = 1.2
    (pictures / "2018" / "wedding").rename(pictures / "2018" / "Wedding of Anna")
    make_pictures(pictures / "2019", files=1, seed=5)
    ended = laptop.run("backup")
    assert ended.returncode == ExitCode.RENAMED
    assert "wedding is Wedding of Anna now" in ended.stderr
    assert "(12.0 MB, $0.01 more a year, about 4 minutes)" in ended.stderr
    assert "panicroom backup photos-2018 --yes" in ended.stderr
    assert sets(laptop) == {"photos-2018": ["full"], "photos-2019": ["full", "inc"]}
    assert laptop.run("backup", "--dry-run").returncode == ExitCode.RENAMED
    laptop.succeed("backup", "photos-2018", "--yes")
    assert volume_bytes(laptop, "photos-2018", "inc") > 12 * MB
    assert "5 files in 2 jobs" not in laptop.succeed("backup")


def test_a_session_that_gets_its_name_back_costs_nothing(laptop: Laptop, pictures: Path) -> None:
    session = pictures / "2018" / "wedding"
    session.rename(pictures / "2018" / "other")
    assert laptop.run("backup").returncode == ExitCode.RENAMED
    (pictures / "2018" / "other").rename(session)
    laptop.succeed("backup")
    assert increments(laptop) == 0


@pytest.mark.parametrize(("answer", "made"), [("y", 1), ("n", 0)])
def test_somebody_at_a_terminal_is_asked(laptop: Laptop, pictures: Path, answer: str, made: int) -> None:
    (pictures / "2018" / "wedding").rename(pictures / "2018" / "other")
    code, text = typed(laptop, 100, ["backup", "photos-2018"], [answer])
    assert "Go on?" in text
    assert code == (ExitCode.DONE if made else ExitCode.RENAMED)
    assert increments(laptop) == made


def test_who_agreed_is_not_asked_again_when_the_upload_was_cut_short(laptop: Laptop, pictures: Path) -> None:
    (pictures / "2018" / "wedding").rename(pictures / "2018" / "other")
    laptop.service.trouble = lambda _method, path: 403 if path.endswith("/uploads") else None
    assert laptop.run("backup", "--yes").returncode not in (ExitCode.DONE, ExitCode.RENAMED)
    laptop.service.trouble = lambda _method, _path: None
    laptop.succeed("backup")
    assert increments(laptop) == 1
    assert [run["statistics"]["RenamedFiles"] for run in laptop.service.runs if run.get("exit_code") == 0][
        -1
    ] == 2


# ---------------------------------------------------------------- from one year into another


def gone_and_renamed(laptop: Laptop) -> list[tuple[float, float]]:
    """What the service heard of each increment: files that are gone, and those of them that have another name."""
    increments = [run["statistics"] for run in laptop.service.runs if run.get("kind") == "incremental"]
    return [(numbers["DeletedPlainFiles"], numbers["RenamedFiles"]) for numbers in increments]


def add_pictures(laptop: Laptop, pictures: Path) -> None:
    """So many that less than half of the year goes with a session; in an increment."""
    make_pictures(pictures / "2018" / "harbour", files=3, seed=3)
    laptop.succeed("backup")
    next_second()


def test_a_session_that_was_moved_into_another_year_is_asked_about_once_and_has_not_vanished(
    laptop: Laptop, pictures: Path
) -> None:
    add_pictures(laptop, pictures)
    (pictures / "2018" / "wedding").rename(pictures / "2019" / "Anna")
    for words in (("backup",), ("backup", "photos-2019"), ("backup", "--dry-run")):
        ended = laptop.run(*words)
        assert ended.returncode == ExitCode.RENAMED
        assert "2018/wedding is 2019/Anna now: these pictures are stored already" in ended.stderr
        assert "(12.0 MB" in ended.stderr
        assert "panicroom backup photos --yes" in ended.stderr
    assert increments(laptop) == 1, "else the next backup would not know any more that they were moved"
    for answer, code, made in (("n", ExitCode.RENAMED, 1), ("y", ExitCode.DONE, 3)):
        ended_with, text = typed(laptop, 100, ["backup"], [answer])
        assert (ended_with, text.count("Go on?"), increments(laptop)) == (code, 1, made)
    assert gone_and_renamed(laptop)[1:] == [(2, 2), (0, 0)]


def test_the_year_from_which_a_session_came_knows_that_the_other_one_has_it(
    laptop: Laptop, pictures: Path
) -> None:
    add_pictures(laptop, pictures)
    (pictures / "2018" / "wedding").rename(pictures / "2019" / "wedding")
    laptop.succeed("backup", "photos-2019", "--yes")
    laptop.succeed("backup")
    assert gone_and_renamed(laptop)[1:] == [(0, 0), (2, 2)]


def test_a_session_that_became_a_folder_of_its_own_is_asked_about(laptop: Laptop, pictures: Path) -> None:
    """Though most of the year's bytes are in the other folder now."""
    add_pictures(laptop, pictures)
    (pictures / "2018" / "wedding").rename(pictures / "Anna and Ben")
    ended = laptop.run("backup")
    assert ended.returncode == ExitCode.RENAMED
    assert "2018/wedding is Anna and Ben now" in ended.stderr
    assert not sets(laptop)["photos-anna-and-ben"]
    laptop.succeed("backup", "photos", "--yes")
    assert sets(laptop)["photos-anna-and-ben"] == ["full"]


def test_a_year_that_went_into_a_folder_of_another_is_asked_about(laptop: Laptop, pictures: Path) -> None:
    (pictures / "2018").rename(pictures / "2019" / "2018")
    (pictures / "2018").mkdir()
    ended = laptop.run("backup")
    assert "2018/wedding is 2019/2018 now" in ended.stderr
    assert increments(laptop) == 0


def test_a_session_that_was_copied_into_another_year_is_backed_up(laptop: Laptop, pictures: Path) -> None:
    shutil.copytree(pictures / "2018" / "wedding", pictures / "2019" / "wedding")
    laptop.succeed("backup")
    assert increments(laptop) == 1


# ---------------------------------------------------------------- the folder of a year


def test_two_years_that_got_each_others_names_stay_the_jobs_that_they_were(
    laptop: Laptop, pictures: Path
) -> None:
    objects = dict(laptop.service.objects)
    (pictures / "2018").rename(pictures / "other")
    (pictures / "2019").rename(pictures / "2018")
    (pictures / "other").rename(pictures / "2019")
    assert f"photos-2018: its folder is {pictures}/2019 now" in laptop.succeed("backup")
    assert laptop.service.objects == objects


def test_a_year_whose_folder_was_renamed_stays_the_job_that_it_was(laptop: Laptop, pictures: Path) -> None:
    (pictures / "2018").rename(pictures / "2018 Italy")
    objects = dict(laptop.service.objects)
    out = laptop.succeed("backup", "--dry-run")
    assert f"photos-2018: its folder is {pictures}/2018 Italy now" in out
    assert f'source = "{pictures}/2018"' in settings_text(laptop)
    laptop.succeed("backup")
    assert laptop.service.objects == objects, "not even a set"
    assert f'source = "{pictures}/2018 Italy"' in settings_text(laptop)
    assert "have not changed" in laptop.succeed("backup", "photos-2018")


def test_a_year_that_was_renamed_while_another_one_got_its_name(laptop: Laptop, pictures: Path) -> None:
    (pictures / "2018").rename(pictures / "2018 Italy")
    make_pictures(pictures / "2018", seed=8)
    laptop.succeed("backup")
    found = sets(laptop)
    assert found.pop("photos-2018") == ["full"]
    assert found.pop("photos-2019") == ["full"]
    assert list(found.values()) == [["full"]], "the new folder is a job of its own"


def test_an_empty_folder_with_the_old_name_of_a_year_is_no_new_job(laptop: Laptop, pictures: Path) -> None:
    (pictures / "2018").rename(pictures / "2018 Italy")
    (pictures / "2018").mkdir()
    laptop.succeed("backup")
    assert sets(laptop) == {"photos-2018": ["full"], "photos-2019": ["full"]}


def test_a_folder_of_that_name_with_other_pictures_is_not_taken_for_the_year(
    laptop: Laptop, pictures: Path
) -> None:
    shutil.rmtree(pictures / "2018")
    moved = laptop.home / "Moved"
    pictures.rename(moved)
    make_pictures(moved / "2018", seed=8)
    ended = laptop.run("photos", "folder", str(moved))
    assert ended.returncode == ExitCode.SOURCE
    assert "has other pictures than photos-2018 had" in ended.stderr
    assert laptop.run("backup").returncode == ExitCode.SOURCE
    assert sets(laptop) == {"photos-2018": ["full"], "photos-2019": ["full"]}


# ---------------------------------------------------------------- all of the pictures


def test_a_pile_that_was_moved_is_followed_and_nothing_is_stored(laptop: Laptop, pictures: Path) -> None:
    moved = laptop.home / "New place" / "Pictures"
    moved.parent.mkdir()
    pictures.rename(moved)
    ended = laptop.run("backup")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (ExitCode.SOURCE, 1)
    objects = dict(laptop.service.objects)
    assert "photos: 2 of 2 folders are in" in laptop.succeed("photos", "folder", str(moved))
    laptop.succeed("backup")
    assert laptop.service.objects == objects
    assert str(pictures) + '"' not in settings_text(laptop).replace(str(moved) + '"', "")


def test_a_pile_that_was_copied_to_a_new_disk_has_increments_without_files(
    laptop: Laptop, pictures: Path
) -> None:
    """The old disk is still there."""
    disk = laptop.home / "disk"
    subprocess.run(["cp", "-a", pictures, disk], check=True)
    laptop.succeed("photos", "folder", str(disk))
    make_pictures(disk / "2020")
    laptop.succeed("backup")
    assert sets(laptop) == {
        "photos-2018": ["full", "inc"],
        "photos-2019": ["full", "inc"],
        "photos-2020": ["full"],
    }
    assert volume_bytes(laptop, "photos-2018", "inc") < 12_000
    laptop.succeed("backup")
    assert increments(laptop) == 2


def test_a_copy_on_a_disk_that_keeps_two_seconds_of_a_time_is_the_same_pile(
    laptop: Laptop, pictures: Path
) -> None:
    disk = laptop.home / "disk"
    subprocess.run(["cp", "-a", pictures, disk], check=True)
    for path in disk.rglob("*.raw"):
        later = path.stat().st_mtime + 1  # as Windows rounds
        os.utime(path, (later, later))
    for _time in range(2):
        assert "photos: 2 of 2 folders are in" in laptop.succeed("photos", "folder", str(disk))
    laptop.succeed("backup")
    assert volume_bytes(laptop, "photos-2018", "inc") < 12_000


def test_settings_that_somebody_changed_by_hand_are_followed_too(laptop: Laptop, pictures: Path) -> None:
    disk = laptop.home / "disk"
    subprocess.run(["cp", "-a", pictures, disk], check=True)
    file = laptop.home / "config" / "panicroom.toml"
    file.write_text(file.read_text().replace(f'source = "{pictures}"', f'source = "{disk}"'))
    laptop.succeed("backup")
    assert set(sets(laptop)) == {"photos-2018", "photos-2019"}
    assert volume_bytes(laptop, "photos-2018", "inc") < 12_000


def test_a_folder_with_other_pictures_is_refused(laptop: Laptop, pictures: Path) -> None:
    other = laptop.home / "Other"
    make_pictures(other / "2018", seed=9)
    before = settings_text(laptop)
    ended = laptop.run("photos", "folder", str(other))
    assert ended.returncode == ExitCode.SOURCE
    assert "none of the 2 folders of photos" in ended.stderr
    assert settings_text(laptop) == before
    ended = laptop.run("photos", "folder", "--job", "photos-2018", str(other / "2018"))
    assert ended.returncode == ExitCode.SOURCE
    assert settings_text(laptop) == before
    laptop.succeed("photos", "folder", "--job", "photos-2018", str(other / "2018"), "--yes")
    assert f'source = "{other}/2018"' in settings_text(laptop)


def test_one_year_may_lie_on_a_disk_of_its_own(laptop: Laptop, pictures: Path) -> None:
    disk = laptop.home / "disk" / "old years"
    disk.mkdir(parents=True)
    (pictures / "2018").rename(disk / "2018")
    assert laptop.run("backup").returncode == ExitCode.SOURCE
    laptop.succeed("photos", "folder", "--job", "photos-2018", str(disk / "2018"))
    laptop.succeed("backup")
    assert increments(laptop) == 0
    make_pictures(disk / "2018", files=1, seed=6)
    laptop.succeed("backup")
    assert increments(laptop) == 1
    assert os.path.isdir(disk)  # noqa: PTH112

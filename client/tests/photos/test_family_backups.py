"""Backups of a pile of pictures: its folders become jobs, and nothing is made where nothing has changed."""

from __future__ import annotations

import shutil

import pytest
from fake_service import CODE
from laptop import PASSPHRASE, Laptop, next_second
from panicroom.exit_codes import ExitCode
from photos.piles import enrol, make_pictures, pile, sets, settings_text, volume_bytes
from trees import differences, snapshot


@pytest.fixture
def enrolled(laptop: Laptop) -> Laptop:
    pile(laptop, "2018", "2019")
    enrol(laptop)
    return laptop


def test_each_folder_becomes_a_job_with_a_full_backup(enrolled: Laptop) -> None:
    assert "[jobs." not in settings_text(enrolled)
    out = enrolled.succeed("backup")
    assert sets(enrolled) == {"photos-2018": ["full"], "photos-2019": ["full"]}
    assert "photos: the folder 2018 is backed up as photos-2018 from now on" in out
    text = settings_text(enrolled)
    assert f'source = "{enrolled.home}/Pictures/2018"' in text
    assert text.count('family = "photos"') == 2
    assert text.count("volume_mb = 200") == 2
    to = enrolled.home / "restored"
    enrolled.succeed("restore", "--job", "photos-2018", "--to", str(to))
    assert differences(snapshot(enrolled.home / "Pictures" / "2018"), snapshot(to)) == []


def test_nothing_is_stored_where_nothing_has_changed_and_the_service_hears_of_it_in_one_request(
    enrolled: Laptop,
) -> None:
    enrolled.succeed("backup")
    names, calls = dict(enrolled.service.objects), []

    def count(method: str, path: str) -> None:
        calls.append(f"{method} {path}")

    enrolled.service.trouble = count
    out = enrolled.succeed("backup")
    assert "photos: 4 files in 2 jobs have not changed" in out
    assert calls == ["GET /api/machine", "POST /api/jobs/photos/runs"]
    assert enrolled.service.objects == names
    checks = enrolled.service.families.requests[-1]["checks"]
    assert [(check["job"], check["files"]) for check in checks] == [("photos-2018", 2), ("photos-2019", 2)]


def test_only_the_year_that_changed_has_an_increment(enrolled: Laptop) -> None:
    enrolled.succeed("backup")
    make_pictures(enrolled.home / "Pictures" / "2019", files=1, seed=7)
    next_second()
    out = enrolled.succeed("backup")
    assert sets(enrolled) == {"photos-2018": ["full"], "photos-2019": ["full", "inc"]}
    assert "photos: 2 files in 1 job have not changed" in out
    assert "3 files in 1 job" not in enrolled.succeed("backup", "photos-2018")
    assert "photos: 5 files in 2 jobs have not changed" in enrolled.succeed("backup", "photos")


def test_the_service_hears_of_files_alone_and_of_other_names(enrolled: Laptop) -> None:
    """duplicity counts folders as files, and what has another name as deleted."""
    top = enrolled.home / "Pictures" / "2018"
    make_pictures(top / "wedding", files=3, seed=5)
    enrolled.succeed("backup")

    def counted() -> list[float]:
        numbers = enrolled.service.runs[-1]["statistics"]
        names = ("PlainFiles", "ChangedFiles", "DeletedPlainFiles", "RenamedFiles")
        return [numbers[name] for name in names]

    assert counted()[1:] == [0, 0, 0]
    (top / "wedding" / "IMG_5000.xmp").write_text("a caption")
    next_second()
    enrolled.succeed("backup", "photos-2018")
    assert counted() == [6, 0, 0, 0]
    (top / "wedding").rename(top / "Anna and Ben")
    (top / "IMG_0000.raw").unlink()
    (top / "IMG_0001.raw").write_bytes(b"edited")
    next_second()
    enrolled.succeed("backup", "photos-2018")
    assert counted() == [5, 1, 5, 4]
    assert enrolled.service.runs[-1]["statistics"]["DeletedFiles"] == 6, "with the folder"


def test_a_new_folder_is_backed_up_the_next_time(enrolled: Laptop) -> None:
    enrolled.succeed("backup")
    make_pictures(enrolled.home / "Pictures" / "2020 Wedding")
    out = enrolled.succeed("backup", "--dry-run")
    assert "the folder 2020 Wedding would be backed up as photos-2020-wedding" in out
    assert "photos-2020-wedding" not in settings_text(enrolled)
    assert "photos: 4 files in 2 jobs have not changed" in out
    assert enrolled.service.families.requests == []
    enrolled.succeed("backup")
    assert sets(enrolled)["photos-2020-wedding"] == ["full"]


def test_a_disk_that_is_not_attached_is_one_failure_and_other_jobs_go_on(laptop: Laptop) -> None:
    top = pile(laptop, "2018", "2019")
    (laptop.source / "letter").write_text("dear")
    laptop.service.jobs, laptop.service.families.names = ("system",), ("photos",)
    words = ["--source", f"photos={top}", "--source", f"system={laptop.source}"]
    laptop.succeed("enrol", laptop.service.url, CODE, *words, "--yes", PASSPHRASE=PASSPHRASE)
    laptop.succeed("backup", "photos")
    top.rename(laptop.home / "detached")
    ended = laptop.run("backup")
    assert ended.returncode == ExitCode.SOURCE
    assert ended.stderr.splitlines() == [
        f"panicroom: photos: the folder {top} is not there; is its disk attached?"
    ]
    assert sets(laptop)["system"] == ["full"]
    ended = laptop.run("backup", "photos-2018")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (ExitCode.SOURCE, 1)
    assert laptop.run("backup", "photos").returncode == ExitCode.SOURCE


def test_the_doctor_says_once_that_the_disk_is_not_attached(enrolled: Laptop) -> None:
    enrolled.succeed("backup")
    top = enrolled.home / "Pictures"
    top.rename(enrolled.home / "detached")
    enrolled.service.jobs = (*enrolled.service.jobs, "photos-2011")
    enrolled.service.families.job_of["photos-2011"] = "photos"
    ended = enrolled.run("doctor")
    assert ended.returncode == ExitCode.UNHEALTHY
    assert ended.stdout.count(f"{top} is not there; is its disk attached?") == 1
    assert f"{top}/2018" not in ended.stdout
    assert "panicroom photos folder --job photos-2011 DIR" in ended.stdout


def test_without_a_service_there_is_one_failure_for_all_years(enrolled: Laptop) -> None:
    enrolled.succeed("backup")
    enrolled.service.trouble = lambda _method, _path: 403
    ended = enrolled.run("backup")
    assert ended.returncode != 0
    assert len(ended.stderr.splitlines()) == 1


def test_a_folder_that_was_deleted_says_what_to_type(enrolled: Laptop) -> None:
    enrolled.succeed("backup")
    gone = enrolled.home / "Pictures" / "2018"
    shutil.rmtree(gone)
    make_pictures(enrolled.home / "Pictures" / "2020")
    ended = enrolled.run("backup")
    assert ended.returncode == ExitCode.SOURCE
    assert f"panicroom restore --job photos-2018 --to {gone}" in ended.stderr
    assert "[jobs.photos-2018]" in ended.stderr
    assert sets(enrolled) == {"photos-2018": ["full"], "photos-2019": ["full"], "photos-2020": ["full"]}
    enrolled.succeed("restore", "--job", "photos-2018", "--to", str(gone))
    enrolled.succeed("backup")


def test_a_file_where_a_folder_was_is_said(enrolled: Laptop) -> None:
    enrolled.succeed("backup")
    shutil.rmtree(enrolled.home / "Pictures" / "2018")
    (enrolled.home / "Pictures" / "2018").write_text("oops")
    ended = enrolled.run("backup")
    assert ended.returncode == ExitCode.SOURCE
    assert "was a folder and is a file now" in ended.stderr
    assert sets(enrolled) == {"photos-2018": ["full"], "photos-2019": ["full"]}


def test_what_cannot_be_a_job_leaves_the_others_their_backup(enrolled: Laptop) -> None:
    top = enrolled.home / "Pictures"
    (top / "2020" / "plans").mkdir(parents=True)
    (top / "best").symlink_to(top / "2018")
    (top / "2017").symlink_to(enrolled.home)
    (top / "Thumbs.db").write_bytes(b"x")
    (top / "loose.jpg").write_bytes(b"x")
    (top / ".cache").mkdir()
    make_pictures(top / "lost+found")
    (top / "caf\udce9").mkdir()
    ended = enrolled.run("backup")
    assert ended.returncode == ExitCode.SOURCE
    assert "names have letters that are no text: caf?" in ended.stderr
    assert "no pictures in 2020 yet" in ended.stdout
    assert "as they are links to folders elsewhere: 2017; move the folders themselves" in ended.stdout
    assert f"1 file lies beside the folders in {top} and in no backup: loose.jpg; put" in ended.stdout
    assert sets(enrolled) == {"photos-2018": ["full"], "photos-2019": ["full"]}


def test_a_session_that_lies_on_another_disk_behind_a_link_is_said_to_be_in_no_backup(
    enrolled: Laptop,
) -> None:
    disk, year = enrolled.home / "disk", enrolled.home / "Pictures" / "2018"
    make_pictures(disk / "wedding")
    for name, target in (("wedding", disk / "wedding"), ("best", "../2019"), ("broken", "nowhere")):
        (year / name).symlink_to(target)
    out = enrolled.succeed("backup")
    said = f"in no backup, as they are links to what lies elsewhere: wedding; move the pictures themselves into {year}"
    assert f"photos-2018: {said}" in out


def test_odd_names_and_names_that_look_alike_are_jobs_of_their_own(laptop: Laptop) -> None:
    names = ["2018-05-12 Hochzeit", "2018 05 12 hochzeit", "Reise", "reise", "日本", "a\"b'c\\d", "%s #[x]"]
    top = pile(laptop, *names)
    enrol(laptop)
    laptop.succeed("backup")
    assert len(sets(laptop)) == len(names)
    assert all(kinds == ["full"] for kinds in sets(laptop).values())
    for name in names:
        assert (top / name).is_dir()
    assert "7 jobs have not changed" in laptop.succeed("backup")


def test_more_folders_than_a_family_may_have_are_named_and_the_others_are_backed_up(laptop: Laptop) -> None:
    pile(laptop, "2018", "2019", "2020")
    laptop.service.families.most_jobs = 2
    enrol(laptop)
    ended = laptop.run("backup")
    assert ended.returncode == ExitCode.REFUSED
    assert "in no backup are the folders 2020" in ended.stderr
    assert sets(laptop) == {"photos-2018": ["full"], "photos-2019": ["full"]}


def test_folders_that_became_jobs_before_the_service_went_away_are_backed_up(enrolled: Laptop) -> None:
    asked: list[str] = []

    def refuse_the_second(method: str, path: str) -> int | None:
        asked.extend([path] if (method, path) == ("POST", "/api/jobs") else [])
        return 403 if len(asked) == 2 and path == "/api/jobs" else None

    enrolled.service.trouble = refuse_the_second
    assert enrolled.run("backup").returncode != 0
    assert sets(enrolled) == {"photos-2018": ["full"]}
    enrolled.service.trouble = lambda _method, _path: None
    enrolled.succeed("backup")
    assert sets(enrolled) == {"photos-2018": ["full"], "photos-2019": ["full"]}


def test_a_backup_that_did_not_come_to_its_end_is_carried_on_with(enrolled: Laptop) -> None:
    """Also where the files are again what the newest finished backup saw."""
    enrolled.succeed("backup")
    new = enrolled.home / "Pictures" / "2018" / "new.raw"
    new.write_bytes(b"new")
    enrolled.service.trouble = lambda _method, path: 403 if path.endswith("/uploads") else None
    assert enrolled.run("backup").returncode != 0
    enrolled.service.trouble = lambda _method, _path: None
    new.unlink()
    next_second()
    enrolled.succeed("backup")
    assert sets(enrolled) == {"photos-2018": ["full", "inc"], "photos-2019": ["full"]}
    assert "4 files in 2 jobs" in enrolled.succeed("backup")


@pytest.mark.parametrize("lost", ["cache", "walk", "quarantine", "another's set"])
def test_a_year_is_backed_up_again_where_something_is_not_as_the_last_backup_left_it(
    enrolled: Laptop, lost: str
) -> None:
    enrolled.succeed("backup")
    enrolled.succeed("backup")
    if lost == "cache":
        shutil.rmtree(enrolled.home / "cache")
    elif lost == "walk":
        (enrolled.home / "state" / "laptop" / "photos-2018" / "walk").write_bytes(b"no walk")
    elif lost == "quarantine":
        for key in [key for key in enrolled.service.objects if key.startswith("photos-2018/")]:
            del enrolled.service.objects[key]
    else:
        enrolled.service.newest_known = "2031-01-01T00:00:00Z"
    next_second()
    out = enrolled.succeed("backup", "photos-2018")
    assert "have not changed" not in out
    assert "photos-2018: 1 volume" in out


def test_a_full_backup_that_is_asked_for_is_made(enrolled: Laptop) -> None:
    enrolled.succeed("backup")
    next_second()
    enrolled.succeed("backup", "full", "photos-2018")
    assert sets(enrolled) == {"photos-2018": ["full", "full"], "photos-2019": ["full"]}
    assert "4 files in 2 jobs" in enrolled.succeed("backup")


def test_an_increment_of_one_new_picture_has_that_picture_alone(enrolled: Laptop) -> None:
    enrolled.succeed("backup")
    make_pictures(enrolled.home / "Pictures" / "2018", files=1, size=50_000, seed=9)
    next_second()
    enrolled.succeed("backup")
    assert 50_000 < volume_bytes(enrolled, "photos-2018", "inc") < 65_000


def test_a_machine_that_was_removed_and_added_again_has_its_folders_backed_up_again(enrolled: Laptop) -> None:
    """By ``machine drop`` all that was stored is gone too; a walk that is remembered settles nothing then."""
    enrolled.succeed("backup")
    enrolled.service.objects.clear()
    enrolled.service.families.job_of.clear()
    enrolled.service.jobs = ()
    out = enrolled.succeed("backup")
    assert "photos: the folder 2018 is backed up as photos-2018 from now on" in out
    assert sets(enrolled) == {"photos-2018": ["full"], "photos-2019": ["full"]}
    assert "photos: 4 files in 2 jobs have not changed" in enrolled.succeed("backup")

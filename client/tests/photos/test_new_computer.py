"""Enrolment of a machine with pictures: at first, again, and on a new computer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fake_service import CODE
from laptop import PASSPHRASE, Laptop, next_second
from panicroom.exit_codes import ExitCode
from photos.piles import enrol, make_pictures, pile, sets, settings_text, volume_bytes
from terminal import typed


@pytest.fixture
def pictures(laptop: Laptop) -> Path:
    """Two years that are backed up."""
    top = pile(laptop, "2018", "2019")
    enrol(laptop)
    laptop.succeed("backup")
    next_second()
    return top


def forget(laptop: Laptop) -> None:
    """A computer with the same pictures, which has never heard of the service; the owner has given a code."""
    for name in ("config", "state", "cache"):
        shutil.rmtree(laptop.home / name)
    laptop.service.secret_sha256 = None


# ---------------------------------------------------------------- the first time


@pytest.mark.parametrize("is_here", [True, False])
def test_the_folder_with_the_pictures_is_asked_for(laptop: Laptop, is_here: bool) -> None:
    """What the owner thinks is the usual answer, if there is such a folder here."""
    top = pile(laptop, "2018")
    laptop.service.jobs, laptop.service.families.names = (), ("photos",)
    laptop.service.families.source_hint = str(top) if is_here else "D:/Pictures"
    answers = ["" if is_here else str(top), PASSPHRASE, PASSPHRASE]
    code, text = typed(laptop, 200, ["enrol", laptop.service.url, CODE], answers)
    assert code == 0, text
    assert "Folder with your pictures" in text
    assert "D:/Pictures" not in text
    settings = settings_text(laptop)
    assert f'[families.photos]\nsource = "{top}"' in settings
    assert "[jobs." not in settings
    laptop.succeed("backup")
    assert sets(laptop) == {"photos-2018": ["full"]}


def test_without_questions_the_folder_has_to_be_given(laptop: Laptop) -> None:
    laptop.service.jobs, laptop.service.families.names = (), ("photos",)
    words = ["enrol", laptop.service.url, CODE, "--yes", "--source"]
    ended = laptop.run(*words, f"system={laptop.source}", PASSPHRASE=PASSPHRASE)
    assert ended.returncode == ExitCode.USAGE
    assert "--source photos=DIR" in ended.stderr
    top = pile(laptop, "2018")
    laptop.succeed(*words, str(top), PASSPHRASE=PASSPHRASE)
    assert f'[families.photos]\nsource = "{top}"' in settings_text(laptop)


def test_a_machine_gets_pictures_beside_what_it_has(laptop: Laptop) -> None:
    (laptop.source / "letter").write_text("dear")
    laptop.enrol_by_command()
    laptop.succeed("backup")
    laptop.service.secret_sha256 = None
    laptop.service.families.names = ("photos",)
    top = pile(laptop, "2018")
    laptop.succeed("enrol", laptop.service.url, CODE, "--yes", "--source", f"photos={top}")
    laptop.succeed("backup")
    assert sets(laptop) == {"system": ["full", "inc"], "photos-2018": ["full"]}


# ---------------------------------------------------------------- again, and elsewhere


def test_enrolling_again_asks_for_no_folder_and_keeps_the_jobs(laptop: Laptop, pictures: Path) -> None:
    before = settings_text(laptop)
    laptop.service.secret_sha256 = None
    laptop.succeed("enrol", laptop.service.url, CODE, "--yes")
    assert settings_text(laptop) == before
    laptop.succeed("backup")
    assert sets(laptop) == {"photos-2018": ["full"], "photos-2019": ["full"]}
    assert pictures.is_dir()


def test_on_a_new_computer_the_folders_are_found_by_their_names(laptop: Laptop, pictures: Path) -> None:
    forget(laptop)
    make_pictures(pictures / "2020")
    enrol(laptop)
    laptop.succeed("backup")
    assert sets(laptop) == {
        "photos-2018": ["full", "inc"],
        "photos-2019": ["full", "inc"],
        "photos-2020": ["full"],
    }
    assert volume_bytes(laptop, "photos-2018", "inc") < 12_000


def test_a_folder_that_was_renamed_before_is_not_uploaded_as_new_without_a_question(
    laptop: Laptop, pictures: Path
) -> None:
    (pictures / "2018").rename(pictures / "2018 Italy")
    forget(laptop)
    enrol(laptop)
    ended = laptop.run("backup")
    assert ended.returncode == ExitCode.RENAMED
    assert (
        "2018 Italy would be uploaded as new, and photos-2018 has backups and no folder here" in ended.stderr
    )
    assert sets(laptop) == {"photos-2018": ["full"], "photos-2019": ["full", "inc"]}
    laptop.succeed("photos", "folder", "--job", "photos-2018", str(pictures / "2018 Italy"))
    laptop.succeed("backup")
    assert sets(laptop) == {"photos-2018": ["full", "inc"], "photos-2019": ["full", "inc"]}


def test_a_year_that_is_not_wanted_here_is_asked_about_once(laptop: Laptop, pictures: Path) -> None:
    shutil.rmtree(pictures / "2018")
    make_pictures(pictures / "2020")
    forget(laptop)
    enrol(laptop)
    assert laptop.run("backup").returncode == ExitCode.RENAMED
    laptop.succeed("backup", "--yes")
    make_pictures(pictures / "2021")
    laptop.succeed("backup")
    assert sets(laptop)["photos-2021"] == ["full"]


def test_after_a_recovery_the_next_backups_are_increments(laptop: Laptop, pictures: Path) -> None:
    """Restored folders have their jobs' names, as the service does not know those of folders."""
    code = "10924-HDEHH-F3JYH-1B2G9-5KZF8-N3050"
    laptop.service.recovery_code = code
    shutil.rmtree(pictures)
    forget(laptop)
    where = laptop.home / "back"
    words = ["recover", f"{laptop.service.url}#laptop", "--to", str(where)]
    laptop.succeed(*words, RECOVERY_CODE=code, PASSPHRASE=PASSPHRASE)
    assert sorted(path.name for path in where.iterdir()) == ["photos-2018", "photos-2019"]
    assert settings_text(laptop).count('\nfamily = "photos"') == 2
    laptop.service.secret_sha256 = laptop.service.recovery_code = None
    (where / "photos-2019").rename(where / "2019")
    laptop.succeed("enrol", laptop.service.url, CODE, "--yes", "--source", f"photos={where}")
    laptop.succeed("backup")
    assert sets(laptop) == {"photos-2018": ["full", "inc"], "photos-2019": ["full", "inc"]}
    assert volume_bytes(laptop, "photos-2018", "inc") < 12_000

"""``panicroom recover`` as somebody types it on the day itself, in a terminal."""

from __future__ import annotations

import re

import pytest
from laptop import PASSPHRASE, Laptop
from panicroom.exit_codes import ExitCode
from recovery.scenes import CODE, JOBS, make_backups, new_computer, sheet
from recovery.test_recover import is_back
from terminal import typed


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_backups(laptop_of_file)
    return laptop_of_file


@pytest.fixture
def computer(backed_up: Laptop) -> Laptop:
    return new_computer(backed_up)


def archive_everything(computer: Laptop) -> None:
    names = (name for job in JOBS for name in computer.service.names(job) if ".vol" in name)
    computer.service.thaws.archived.update(names)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_it_asks_for_what_is_missing_and_again_for_what_is_mistyped(computer: Laptop, columns: int) -> None:
    answers = [sheet(computer), CODE[:6] + "2" + CODE[7:], CODE.lower(), "wrong", PASSPHRASE]
    code, text = typed(computer, columns, ["recover"], answers)
    assert code == 0, text
    is_back(computer)
    assert "group 2 is mistyped; compare it with the paper and type it again" in text
    assert "this passphrase does not open them" in text
    assert PASSPHRASE not in text
    assert computer.service.tries == [CODE]


def test_the_price_of_all_jobs_is_asked_about_once_before_it_is_spent(computer: Laptop) -> None:
    archive_everything(computer)
    code, text = typed(computer, 80, ["recover", sheet(computer)], [CODE, PASSPHRASE, "", "n"])
    assert code == ExitCode.TRY_LATER, text
    assert computer.service.thaws.asked == []
    assert "nothing was thawed, and nothing was spent" in text
    code, text = typed(computer, 80, ["recover"], ["bulk", "y"])
    assert code == ExitCode.TRY_LATER, text
    assert len(computer.service.thaws.asked) == 2
    assert re.search(r"photos: 1 volume is being thawed, .* then run again: panicroom recover", text), text
    computer.service.thaws.finish()
    code, text = typed(computer, 80, ["recover"], [])
    assert code == 0, text
    is_back(computer)


def test_a_job_with_an_earlier_passphrase_is_asked_about(computer: Laptop, backed_up: Laptop) -> None:
    backed_up.succeed("passphrase", "change", "--yes", NEW_PASSPHRASE="a newer one")
    backed_up.succeed("backup", "system")
    answers = [CODE, "a newer one", "wrong", PASSPHRASE]
    code, text = typed(computer, 80, ["recover", sheet(computer)], answers)
    assert code == 0, text
    assert "The backups of photos have another passphrase" in text
    is_back(computer)
    assert computer.secrets["laptop.passphrase"] == "a newer one"
    assert PASSPHRASE in computer.secrets["laptop.passphrases-before"]


def test_enrolling_offers_the_folder_that_was_restored(computer: Laptop) -> None:
    code, text = typed(computer, 80, ["recover", sheet(computer)], [CODE, PASSPHRASE])
    assert code == 0, text
    computer.service.secret_sha256 = computer.service.recovery_code = None
    photos = computer.home / "photos"
    (computer.home / "restored-laptop" / "photos").rename(photos)
    code, text = typed(computer, 80, ["enrol", computer.service.url, "one-time-code"], ["", str(photos)])
    assert code == 0, text
    assert f"backs up [{computer.home / 'restored-laptop' / 'system'}]" in text
    computer.succeed("backup")
    assert len(computer.service.sealed("photos")) == 2

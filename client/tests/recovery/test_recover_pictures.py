"""A pile of pictures on a new computer: by job, as nobody but the lost one knows the folders' names."""

from __future__ import annotations

from pathlib import Path

import pytest
from laptop import PASSPHRASE, Laptop
from pictures import JOBS, YEARS, archive_jobs, make_pile
from recovery.scenes import CODE, sheet
from restore.changing_trees import look


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_pile(laptop_of_file)
    return laptop_of_file


@pytest.fixture
def computer(backed_up: Laptop) -> Laptop:
    service = backed_up.service
    service.jobs, service.recovery_code = JOBS, CODE
    service.families.job_of.update(dict.fromkeys(JOBS, "photos"))
    home = backed_up.home / "new"
    (home / "source").mkdir(parents=True)
    return Laptop(home, backed_up.gnupg, service, folder=home)


def pile(computer: Laptop) -> Path:
    return computer.home.parent / "pile"


def test_some_years_then_the_rest_and_then_the_family_by_name(computer: Laptop) -> None:
    some = ["--job", "photos-2017", "--job", "photos-2019"]
    computer.succeed("recover", sheet(computer), *some, RECOVERY_CODE=CODE, PASSPHRASE=PASSPHRASE)
    restored = computer.home / "restored-laptop"
    assert sorted(path.name for path in restored.iterdir()) == ["photos-2017", "photos-2019"]
    assert computer.succeed("recover", "--job", "photos").count("restored already") == 2
    for year in YEARS:
        assert look(restored / f"photos-{year}") == look(pile(computer) / year)
    out = computer.home / "out"
    computer.succeed("restore", "photos-2018/2018-05-12 wedding", "--job", "photos", "--to", str(out))
    wedding = "2018-05-12 wedding"
    assert look(out / "photos-2018" / wedding) == look(pile(computer) / "2018" / wedding)


def test_the_dry_run_says_which_jobs_in_which_month(computer: Laptop) -> None:
    archive_jobs(computer)
    computer.service.thaws.transfer = {"month_free_bytes": 2**21, "left_bytes": 2**21, "usd_a_gb": 900.0}
    said = computer.succeed(
        "recover", sheet(computer), "--dry-run", RECOVERY_CODE=CODE, PASSPHRASE=PASSPHRASE
    )
    assert "All at once costs " in said
    assert "For the first part, run: panicroom recover --job photos-2017" in said

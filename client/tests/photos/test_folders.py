"""Which folder becomes which job: the same one on every computer."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panicroom.photos.pile.folders import job_name, name_folders

JOB = re.compile(r"photos-[a-z0-9][a-z0-9-]*")
folder_names = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("folder", "job"),
    [
        ("2018", "photos-2018"),
        ("2018-05-12 Wedding", "photos-2018-05-12-wedding"),
        ("Ålesund & Ørsta", "photos-alesund-rsta"),
        ("x" * 60, "photos-" + "x" * 34),
    ],
)
def test_a_job_is_called_after_its_folder(folder: str, job: str) -> None:
    assert job_name("photos", folder) == job


@given(st.lists(folder_names, unique=True, max_size=8))
def test_each_folder_has_a_job_of_its_own_that_the_service_takes(folders: list[str]) -> None:
    named = name_folders("photos", folders, (), ())
    assert sorted(named.values()) == sorted(folders)
    assert all(JOB.fullmatch(job) and len(job) <= 41 for job in named)


@given(st.lists(folder_names, unique=True, max_size=8), st.randoms())
def test_on_another_computer_folders_find_the_jobs_that_were_made_for_them_one_by_one(
    folders: list[str], order: object
) -> None:
    """They came one after the other there, and come all at once here."""
    order.shuffle(folders)  # type: ignore[attr-defined]
    made: dict[str, str] = {}
    for folder in folders:
        made |= name_folders("photos", [folder], (), made)
    assert name_folders("photos", folders, made.keys(), ()) == made


def test_a_folder_that_was_restored_under_its_jobs_name_is_that_job() -> None:
    found = name_folders("photos", ["photos-2018", "2019"], {"photos-2018", "photos-2019"}, ())
    assert found == {"photos-2018": "photos-2018", "photos-2019": "2019"}


def test_a_name_that_another_job_has_is_not_taken() -> None:
    (job,) = name_folders("photos", ["2018"], (), {"photos-2018"})
    assert re.fullmatch(r"photos-2018-[0-9a-f]{6}", job)


def test_letters_that_macos_takes_apart_are_the_same_folder() -> None:
    names = [unicodedata.normalize(form, "日本é") for form in ("NFC", "NFD")]
    assert len({job_name("photos", name, {job_name("photos", name)}) for name in names}) == 1


def test_names_that_differ_only_in_how_an_accent_is_written_are_jobs_of_their_own() -> None:
    names = [unicodedata.normalize(form, "\u212bé") for form in ("NFC", "NFD")] + ["\u212bé", "Ae"]
    assert sorted(name_folders("photos", names, (), ()).values()) == sorted(names)

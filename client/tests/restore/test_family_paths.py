"""What people type for a folder, a session or a picture of a pile."""

from __future__ import annotations

from pathlib import Path

import pytest
from panicroom.exit_codes import Problem
from panicroom.restore.several.family_paths import JobFamily, wanted_jobs
from panicroom.settings import JobSettings


def family(*folders: str | None) -> JobFamily:
    jobs = tuple(
        JobSettings(f"photos-{number}", None if folder is None else Path(folder), family="photos")
        for number, folder in enumerate(folders)
    )
    return JobFamily("photos", Path("/pile"), jobs)


PILE = family("/pile/2017", "/pile/2018 Italy", "/other/disk/2019")


@pytest.mark.parametrize(
    ("paths", "wanted"),
    [
        ([], [("2017", ()), ("2018 Italy", ()), ("2019", ())]),
        (["."], [("2017", ()), ("2018 Italy", ()), ("2019", ())]),
        (["/pile"], [("2017", ()), ("2018 Italy", ()), ("2019", ())]),
        (["2018 Italy/"], [("2018 Italy", ())]),
        (["photos-1"], [("2018 Italy", ())]),
        (["photos-1/rome/x.raw"], [("2018 Italy", ("rome/x.raw",))]),
        (["2017/a", "2017/b", "2017/a"], [("2017", ("a", "b"))]),
        (["2017/a", "2017"], [("2017", ())]),
        (["2017/../2019/x"], [("2019", ("x",))]),
        (["/other/disk/2019/x"], [("2019", ("x",))]),
        (["/pile/2018 Italy/rome"], [("2018 Italy", ("rome",))]),
    ],
)
def test_any_usual_way_to_name_it(paths: list[str], wanted: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(each.folder, each.paths) for each in wanted_jobs(PILE, paths)] == wanted


@pytest.mark.parametrize("path", ["", "..", "../2017", "2016", "/pile/2016/x", "/etc", "rome"])
def test_what_names_nothing_of_the_pile_is_refused(path: str) -> None:
    with pytest.raises(Problem):
        wanted_jobs(PILE, [path])


def test_a_folder_that_is_not_known_or_not_the_only_one_of_its_name_goes_by_its_job() -> None:
    """So no two are restored into one folder, and none outside of the target."""
    names = family("/a/2018", "/b/2018", None, "/a/..", "/").folders
    assert list(names) == ["photos-0", "photos-1", "photos-2", "photos-3", "photos-4"]


def test_of_many_folders_only_some_are_named() -> None:
    many = family(*(f"/pile/{year}" for year in range(1980, 2026)))
    with pytest.raises(Problem, match=r"no folder 2O18; it has 46, such as .*2018"):
        wanted_jobs(many, ["2O18"])

"""A family of pictures restored by folders and sessions, with real duplicity: what is there equals what was."""

from __future__ import annotations

import json
import shutil

import pytest
from laptop import Laptop
from panicroom.exit_codes import ExitCode
from pictures import JOBS, YEARS, make_pile
from restore.changing_trees import look


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_pile(laptop_of_file)
    return laptop_of_file


@pytest.fixture
def pile(backed_up: Laptop) -> Laptop:
    backed_up.service.jobs = JOBS
    return backed_up


def test_all_of_the_pile_comes_back_each_folder_under_its_own_name(pile: Laptop) -> None:
    out = pile.home / "out"
    said = pile.succeed("restore", "--job", "photos", "--to", str(out))
    assert sorted(folder.name for folder in out.iterdir()) == list(YEARS)
    for year in YEARS:
        assert look(out / year) == look(pile.home / "pile" / year)
    assert "photos: 3 of 3 folders with 15 files" in said
    assert "2018 (2 of 3, " in said, "how far it is, over all"
    assert pile.service.thaws.requests == [], "nothing is archived, so nobody asks for a price"


def test_a_year_and_a_session_of_another_are_all_that_comes_back(pile: Laptop) -> None:
    """The only jobs of this machine are pictures, so that the family need not be named."""
    out = pile.home / "out"
    pile.succeed("restore", "2017", "2018/2018-05-12 wedding", "--to", str(out))
    assert look(out / "2017") == look(pile.home / "pile" / "2017")
    assert [path.name for path in (out / "2018").iterdir()] == ["2018-05-12 wedding"]
    wedding = "2018/2018-05-12 wedding"
    assert look(out / wedding) == look(pile.home / "pile" / wedding)
    assert not (out / "2019").exists()


@pytest.mark.parametrize(
    "form", ["2019/loose.raw", "photos-2019/loose.raw", "./2019//loose.raw", "PILE/2019/loose.raw"]
)
def test_a_picture_is_named_in_every_usual_way(pile: Laptop, form: str) -> None:
    out = pile.home / "out"
    path = form.replace("PILE", str(pile.home / "pile"))
    pile.succeed("restore", path, "--job", "photos", "--to", str(out))
    assert [str(found.relative_to(out)) for found in out.rglob("*.raw")] == ["2019/loose.raw"]


def test_a_wrong_path_names_what_there_is(pile: Laptop) -> None:
    out = pile.home / "out"
    ended = pile.run("restore", "2081", "--job", "photos", "--to", str(out))
    assert ended.returncode == ExitCode.NOT_FOUND
    assert "photos has no folder 2081" in ended.stderr
    assert "its folders are: 2017, 2018, 2019" in ended.stderr
    ended = pile.run("restore", "2018/2018-05-12 weding", "2017", "--job", "photos", "--to", str(out))
    assert ended.returncode == ExitCode.NOT_FOUND
    assert "did you mean 2018-05-12 wedding?" in ended.stderr
    assert look(out / "2017") == look(pile.home / "pile" / "2017"), "the other one came back"
    ended = pile.run("restore", "/etc/passwd", "--job", "photos", "--to", str(out))
    assert (ended.returncode, ended.stderr.count("\n")) == (ExitCode.USAGE, 1)


def test_an_error_in_one_year_stops_no_other_and_the_same_command_goes_on(pile: Laptop) -> None:
    out = pile.home / "out"
    lost = [key for key in pile.service.objects if key.startswith("photos-2018/") and ".vol1." in key]
    kept = {key: pile.service.objects.pop(key) for key in lost}
    command = ["restore", "--job", "photos", "--to", str(out)]
    ended = pile.run(*command)
    assert ended.returncode == ExitCode.RESTORE_INCOMPLETE
    assert "1 of 3 folders is not restored as backed up: 2018" in ended.stderr
    for year in ("2017", "2019"):
        assert look(out / year) == look(pile.home / "pile" / year)
    again = pile.run(*command)
    assert again.returncode == ExitCode.RESTORE_INCOMPLETE, "what was not right is said each time"
    pile.service.objects.update(kept)
    shutil.rmtree(out / "2018")
    pile.service.sent.clear()
    said = pile.succeed(*command)
    assert said.count("restored already") == 2
    assert look(out / "2018") == look(pile.home / "pile" / "2018")
    fetched = {name for name in pile.service.sent if ".vol" in name}
    assert fetched <= set(pile.service.names("photos-2018")), "only what was missing is fetched"


def test_part_by_part_into_the_same_folder(pile: Laptop) -> None:
    """As the advice about 100 GB a month has it."""
    out = pile.home / "out"
    pile.succeed("restore", "2017", "2018", "--job", "photos", "--to", str(out))
    assert pile.succeed("restore", "--job", "photos", "--to", str(out)).count("restored already") == 2
    assert look(out / "2019") == look(pile.home / "pile" / "2019")
    ended = pile.run("restore", "2019/loose.raw", "--job", "photos", "--to", str(out))
    assert ended.returncode == ExitCode.TARGET, "a part of what is there is another request"


def test_a_folder_that_is_occupied_is_said_before_anything_is_fetched(pile: Laptop) -> None:
    (pile.home / "out" / "2018").mkdir(parents=True)
    (pile.home / "out" / "2018" / "mine").touch()
    ended = pile.run("restore", "--job", "photos", "--to", str(pile.home / "out"))
    assert ended.returncode == ExitCode.TARGET
    assert "out/2018 is there already" in ended.stderr
    assert pile.service.sent == {}


def test_one_year_of_the_family_restores_as_any_job_does(pile: Laptop) -> None:
    out = pile.home / "out"
    pile.succeed("restore", "--job", "photos-2019", "--to", str(out))
    assert look(out) == look(pile.home / "pile" / "2019")


def test_json_has_a_line_for_each_folder(pile: Laptop) -> None:
    out = pile.home / "out"
    lines = [
        json.loads(line)
        for line in pile.succeed("restore", "--job", "photos", "--to", str(out), "--json").splitlines()
    ]
    restored = {line["folder"]: line["files"] for line in lines if line["event"] == "restored"}
    assert restored == {"2017": 5, "2018": 7, "2019": 3}
    plan = json.loads(pile.succeed("restore", "2018", "--job", "photos", "--dry-run", "--json"))
    assert [(job["folder"], job["job"], job["files"]) for job in plan["jobs"]] == [("2018", "photos-2018", 7)]
    assert (plan["together"], plan["months"]) == (None, None)


# ---------------------------------------------------------------- looking


def test_find_looks_through_all_years(pile: Laptop) -> None:
    ended = pile.run("files", "--job", "photos", "--find", "wedding")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.rstrip().endswith("2018/2018-05-12 wedding/")
    ended = pile.run("files", "--job", "photos", "--find", "loose")
    assert [line.split()[-1] for line in ended.stdout.splitlines()] == [f"{year}/loose.raw" for year in YEARS]
    assert "3 files, 3.0 KB, in 3 folders (the newest backup of each)" in ended.stderr
    ended = pile.run("files", "--job", "photos", "--find", "funeral")
    assert ended.returncode == ExitCode.NOT_FOUND
    assert "no name in these backups has 'funeral' in it" in ended.stderr
    found = json.loads(pile.succeed("files", "2018", "--job", "photos", "--find", "*.raw", "--json"))
    assert len(found) == 7


def test_versions_and_a_quick_verify_go_over_all_years(pile: Laptop) -> None:
    said = pile.succeed("versions", "--job", "photos")
    assert [line for line in said.splitlines() if line.endswith(":")] == [f"{year}:" for year in YEARS]
    said = pile.succeed("verify", "--quick", "--job", "photos")
    assert "photos: backup and source are equal in all 3 folders" in said
    (pile.home / "pile" / "2018" / "loose.raw").write_bytes(b"edited")
    ended = pile.run("verify", "--quick", "--job", "photos")
    assert ended.returncode == ExitCode.DIFFERENT
    assert "1 of 3 folders differ from their backup: 2018" in ended.stderr
    assert "2019: equal" in ended.stdout


def test_cost_says_one_price_for_all_years(pile: Laptop) -> None:
    said = pile.succeed("cost", "--job", "photos")
    assert said.count("Keeping them: ") == 1
    assert "3 folders with 15 files" in said

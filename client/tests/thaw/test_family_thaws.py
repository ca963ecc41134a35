"""Archived pictures: one price and one question for all years, and the advice that spreads a large pile over months."""

from __future__ import annotations

import json
import re

import pytest
from laptop import Laptop
from panicroom.exit_codes import ExitCode
from pictures import JOBS, YEARS, archive_jobs, make_pile
from restore.changing_trees import look
from terminal import typed

MB = 2**20
TWO_MB_A_MONTH = {"month_free_bytes": 2 * MB, "left_bytes": 2 * MB, "usd_a_gb": 900.0}
"""In the place of 100 GB at $0.09: a year of the pile is about as large."""


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_pile(laptop_of_file)
    return laptop_of_file


@pytest.fixture
def pile(backed_up: Laptop) -> Laptop:
    backed_up.service.jobs = JOBS
    archive_jobs(backed_up)
    return backed_up


def test_one_price_for_all_years_and_nothing_is_spent_before_somebody_agrees(pile: Laptop) -> None:
    out, thaws = pile.home / "out", pile.service.thaws
    ended = pile.run("restore", "--job", "photos", "--to", str(out))
    assert ended.returncode == ExitCode.USAGE
    assert ended.stdout.count("  tier ") == 1, ended.stdout
    assert re.search(
        r"to agree, run: panicroom restore --job photos --to \S+ --yes --tier bulk --max-cost", ended.stderr
    )
    assert (thaws.asked, out.exists()) == ([], False)


def test_all_thaws_are_begun_and_the_very_command_goes_on(pile: Laptop) -> None:
    out, thaws = pile.home / "out", pile.service.thaws
    command = ["restore", "--job", "photos", "--to", str(out)]
    ended = pile.run(*command, "--yes")
    assert ended.returncode == ExitCode.TRY_LATER
    assert ended.stderr.count("then run again: ") == 1
    assert f"then run again: panicroom restore --job photos --to {out} --yes" in ended.stderr
    assert len(thaws.under_way) == len(thaws.archived), "no year waits for another's thaw"
    plans = thaws.requests.count("plan")
    ended = pile.run(*command)
    assert ended.returncode == ExitCode.TRY_LATER, "what was agreed to is not asked about again"
    assert thaws.requests.count("plan") == plans
    thaws.finish()
    pile.succeed(*command)
    for year in YEARS:
        assert look(out / year) == look(pile.home / "pile" / year)
    assert len(thaws.asked) == len(thaws.archived)


def test_wait_begins_all_thaws_before_it_waits(pile: Laptop) -> None:
    out, thaws = pile.home / "out", pile.service.thaws

    def on_look() -> None:
        if len(thaws.asked) == len(thaws.archived):
            thaws.finish()

    thaws.on_look = on_look
    pile.succeed("restore", "--job", "photos", "--to", str(out), "--yes", "--wait")
    assert sorted(folder.name for folder in out.iterdir()) == list(YEARS)


def test_max_cost_is_for_all_years_together(pile: Laptop) -> None:
    ended = pile.run(
        "restore", "--job", "photos", "--to", str(pile.home / "out"), "--yes", "--max-cost", "0.03"
    )
    assert ended.returncode == ExitCode.USAGE
    assert "which is more than --max-cost 0.03; nothing more was spent" in ended.stderr
    assert pile.service.thaws.asked == []


def test_years_that_can_be_read_do_not_wait_for_those_that_are_archived(pile: Laptop) -> None:
    pile.service.thaws.archived.clear()
    archive_jobs(pile, ["photos-2018"])
    out = pile.home / "out"
    ended = pile.run("restore", "--job", "photos", "--to", str(out), "--yes")
    assert ended.returncode == ExitCode.TRY_LATER
    assert "1 of 3 folders is not restored as backed up: 2018; then run again" in ended.stderr
    assert sorted(folder.name for folder in out.iterdir() if folder.name[0] != ".") == ["2017", "2019"]


def test_copies_stay_for_as_long_as_fetching_all_of_them_takes(pile: Laptop) -> None:
    pile.run("restore", "--job", "photos", "--to", str(pile.home / "out"), "--yes")
    lines = pile.service.thaws.lines
    assert all(line is not None for line in lines)
    assert sum(line or 0 for line in lines[:3]) == pytest.approx(12_500_000, rel=0.01)


def test_a_session_of_an_old_year_asks_for_its_own_volumes(pile: Laptop) -> None:
    out, thaws = pile.home / "out", pile.service.thaws
    ended = pile.run("restore", "2018/2018-08-01 harbour", "--job", "photos", "--to", str(out), "--yes")
    assert ended.returncode == ExitCode.TRY_LATER
    assert 1 <= len(thaws.asked) <= 2
    assert thaws.asked[0] in pile.service.names("photos-2018")


# ---------------------------------------------------------------- over months


def test_both_sums_and_the_first_part_are_said(pile: Laptop) -> None:
    pile.service.thaws.transfer = TWO_MB_A_MONTH
    ended = pile.run("restore", "--job", "photos", "--to", str(pile.home / "out"))
    assert ended.returncode == ExitCode.USAGE
    assert re.search(
        r"All at once costs \$[1-9]\.\d\d: only 2.0 MB a month may leave AWS for nothing\.", ended.stdout
    )
    rows = re.findall(r"(?m)^  [A-Z][a-z]{2} 20\d\d +\d+\.\d [KM]B  (.*)$", ended.stdout)
    assert sorted(year for row in rows for year in row.split(", ")) == list(YEARS)
    first = re.search(
        r"For the first part, run: panicroom restore (.*) --job photos --to (\S+)", ended.stdout
    )
    assert first is not None
    assert first[1].split() == rows[0].split(", ")
    assert first[2] == str(pile.home / "out")


def test_cost_and_dry_run_and_a_single_year_give_the_advice_too(pile: Laptop) -> None:
    pile.service.thaws.transfer = TWO_MB_A_MONTH
    for words in (["cost"], ["restore", "--dry-run"]):
        said = pile.succeed(*words, "--job", "photos")
        assert "All at once costs" in said
        assert " --job photos --to DIR" in said
    months = json.loads(pile.succeed("cost", "--job", "photos", "--json"))["months"]
    assert months["at_once_usd"] > months["usd"]
    assert len(months["months"]) >= 2


def test_pictures_that_need_no_thaw_are_asked_about_where_leaving_aws_costs(pile: Laptop) -> None:
    """Here one year is archived, as it takes 100 GB to have those priced that are not."""
    pile.service.thaws.archived.clear()
    archive_jobs(pile, ["photos-2018"])
    pile.service.thaws.transfer = TWO_MB_A_MONTH
    ended = pile.run("restore", "--job", "photos", "--to", str(pile.home / "out"))
    assert ended.returncode == ExitCode.USAGE
    assert "All at once costs" in ended.stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_price_advice_and_question_fit_a_terminal(pile: Laptop, columns: int) -> None:
    pile.service.thaws.transfer = TWO_MB_A_MONTH
    code, text = typed(pile, columns, ["restore", "--job", "photos", "--to", "/tmp/out"], ["", "n"])
    assert code == ExitCode.TRY_LATER, text
    assert "nothing was thawed, and nothing was spent" in text
    assert text.count("Which tier (bulk, standard)") == 1
    assert len(re.findall(r"Thaw \d+ volumes for \$\d", text)) == 1
    lines = text[: text.index("Which tier")].splitlines()
    assert max(map(len, lines)) <= columns, lines
    assert pile.service.thaws.asked == []

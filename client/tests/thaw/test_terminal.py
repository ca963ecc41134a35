"""The plan, the questions and the wait in a terminal."""

from __future__ import annotations

import re

import pytest
from laptop import Laptop
from panicroom.exit_codes import ExitCode
from terminal import typed
from thaw.scenes import archive, make_backups, volumes


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_backups(laptop_of_file)
    return laptop_of_file


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_plan_and_its_questions_fit(backed_up: Laptop, columns: int) -> None:
    archive(backed_up, volumes(backed_up))
    out = backed_up.home / "out"
    code, text = typed(backed_up, columns, ["restore", "--to", str(out)], ["", "n"])
    assert code == ExitCode.TRY_LATER, text
    assert "nothing was thawed, and nothing was spent" in text
    rows = [line.split() for line in text.splitlines() if line.startswith(("  bulk", "  standard", "  tier"))]
    assert [row[0] for row in rows] == ["tier", "bulk", "standard"], text
    assert len(rows[1]) == len(rows[2]) == 9, "a row is a line, whatever the width"
    assert "Which tier (bulk, standard) [bulk]" in text
    assert re.search(r"Thaw \d+ volumes for \$0\.1\d\? \[y/N\]", text), text
    sentences = text[: text.index("Which tier")].splitlines()
    assert max(map(len, sentences)) <= columns, sentences
    assert backed_up.service.thaws.asked == []


def test_yes_starts_the_tier_that_was_chosen(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, out = backed_up.service.thaws, backed_up.home / "out"
    code, text = typed(backed_up, 80, ["restore", "--to", str(out)], ["standard", "y"])
    assert code == ExitCode.TRY_LATER, text
    assert "then run again: panicroom restore --to" in text
    assert [known["tier"] for known in thaws.thaws.values()] == ["Standard"]
    thaws.on_look = thaws.finish
    code, text = typed(backed_up, 80, ["restore", "--to", str(out), "--wait"], [])
    assert code == 0, text


def test_the_wait_shows_how_far_it_is(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up))
    thaws, count = backed_up.service.thaws, len(volumes(backed_up))
    looks: list[int] = []

    def on_look() -> None:
        looks.append(1)
        if len(looks) == 1:
            thaws.copies.add(volumes(backed_up)[0])
        else:
            thaws.finish()

    thaws.on_look = on_look
    code, text = typed(backed_up, 80, ["restore", "--to", str(backed_up.home / "out"), "--yes", "--wait"], [])
    assert code == 0, text
    assert f"thawing ... 1 of {count} readable, by " in text

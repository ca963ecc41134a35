"""What ``panicroom recover`` says at its end can be typed, or copied, from a terminal of any width."""

from __future__ import annotations

import pytest
from panicroom.recovery.reader import closing_lines
from panicroom.restore.several.progress import RestoredJob
from panicroom.terminal.bars import by_words
from sheets import URL, a_machine

RESTORED = {"photos-0": RestoredJob("/home/anna/restored-annas-laptop/photos-0", 3, 1000)}


@pytest.mark.parametrize("columns", [60, 80])
def test_the_way_on_is_told_by_lines_that_stay_whole(columns: int) -> None:
    said = by_words("\n".join(closing_lines(a_machine(), RESTORED, (), None)), columns).splitlines()
    assert f"panicroom enrol {URL} CODE" in said
    assert any("python -m ops machine add annas-laptop" in line for line in said)
    assert all(len(line) <= columns or line.startswith("panicroom enrol ") for line in said), said

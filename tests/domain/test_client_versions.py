"""Which version of the client a machine has, by what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.fleet.client_versions import is_version, newest_first, version_of_agent

NUMBER = st.integers(0, 9999)
VERSION = st.builds("{}.{}.{}".format, NUMBER, NUMBER, NUMBER)


@given(VERSION)
def test_a_client_says_its_version_in_the_name_of_its_agent(version: str) -> None:
    assert version_of_agent(f"panicroom/{version}") == version
    assert is_version(version)


@pytest.mark.parametrize(
    "agent",
    ["", "curl/8.1.0", "panicroom/0.2", "panicroom/0.2.0 x",
     "Panicroom/0.2.0", "panicroom/0.2.0\n", "panicroom/[red].1.2",
     "panicroom/١.2.0", "panicroom/99999.0.0", "x panicroom/0.2.0"],
)  # fmt: skip
def test_what_says_anything_else_has_none(agent: str) -> None:
    assert version_of_agent(agent) is None


@given(st.text())
def test_whatever_is_sent_only_a_version_comes_of_it(agent: str) -> None:
    found = version_of_agent(agent)
    assert found is None or is_version(found)


@given(st.lists(VERSION))
def test_versions_are_in_the_order_of_their_numbers(versions: list[str]) -> None:
    numbers = [tuple(map(int, version.split("."))) for version in newest_first(versions)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == len(versions)


def test_the_tenth_comes_after_the_ninth_and_what_is_none_is_left_out() -> None:
    assert newest_first(["0.9.0", "newest", "0.10.0", "../1.0.0"]) == ["0.10.0", "0.9.0"]

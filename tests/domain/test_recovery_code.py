"""A recovery code is typed from paper: what people get wrong is noticed, and the place is named."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.recovery_code import (
    ALPHABET,
    MistypedCode,
    last_group,
    new_recovery_code,
    read_recovery_code,
)

CODE = new_recovery_code()
PLACES = [place for place, letter in enumerate(CODE) if letter != "-"]


def test_a_code_is_six_groups_of_five_and_each_is_another() -> None:
    codes = {new_recovery_code() for _ in range(100)}
    assert len(codes) == 100
    assert all(re.fullmatch(rf"([{ALPHABET}]{{5}}-){{5}}[{ALPHABET}]{{5}}", code) for code in codes)


def test_a_code_of_before_is_read_as_it_was() -> None:
    assert read_recovery_code("DQE4R-MEEYW-GW8Z7-KR64C-XFPV7-S808Z") == "DQE4R-MEEYW-GW8Z7-KR64C-XFPV7-S808Z"


@given(st.data())
def test_a_code_is_read_however_it_is_cased_spaced_and_mistaken_for_letters(data: st.DataObject) -> None:
    typed = "".join(
        data.draw(st.sampled_from([letter, letter.lower(), *{"1": "IiLl", "0": "Oo"}.get(letter, "")]))
        + data.draw(st.sampled_from(["", " ", "-", "\t", " - "]))
        for letter in CODE.replace("-", "")
    )
    assert read_recovery_code(typed) == CODE


@pytest.mark.parametrize("place", PLACES)
def test_any_wrong_character_is_noticed_and_its_group_is_named(place: int) -> None:
    for letter in set(ALPHABET) - {CODE[place]}:
        with pytest.raises(MistypedCode, match=f"group {place // 6 + 1} "):
            read_recovery_code(CODE[:place] + letter + CODE[place + 1 :])


def test_neighbours_and_groups_that_were_swapped_are_noticed() -> None:
    letters, groups = CODE.replace("-", ""), CODE.split("-")
    swapped = [letters[:i] + letters[i + 1] + letters[i] + letters[i + 2 :] for i in range(len(letters) - 1)]
    for one in range(len(groups)):
        for other in range(one):
            moved = groups[:]
            moved[one], moved[other] = groups[other], groups[one]
            swapped.append("".join(moved))
    for typed in set(swapped) - {letters}:
        with pytest.raises(MistypedCode):
            read_recovery_code(typed)


@given(st.text())
def test_a_text_is_a_code_or_is_refused_without_being_repeated(text: str) -> None:
    try:
        read = read_recovery_code(text)
    except MistypedCode as error:
        said = str(error)
        assert len(text.strip()) < 4 or text.strip() not in said
    else:
        assert len(read) == len(CODE)


def test_a_u_is_in_no_code() -> None:
    with pytest.raises(MistypedCode, match="group 1 has a character"):
        read_recovery_code("U" + CODE[1:])


def test_sheets_show_the_last_group() -> None:
    assert CODE.endswith("-" + last_group(CODE))

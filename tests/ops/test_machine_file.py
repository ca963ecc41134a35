"""A file of machines: as spreadsheets save it, as JSON, and every fault with its line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.commands.machines.machine_file import LONGEST_FAULT, MOST_FAULTS, FileFaults, read_machines


def read(text: str) -> list[tuple[str, dict[str, Any]]]:
    entries, faults = read_machines(text.encode())
    assert faults == []
    return [(one.where, dict(one.arguments)) for one in entries]


def faults(data: str | bytes) -> list[str]:
    with pytest.raises(FileFaults) as caught:
        raise FileFaults(read_machines(data.encode() if isinstance(data, str) else data)[1])
    first, *lines = str(caught.value).splitlines()
    assert first == "Nothing was added. In the file:"
    return lines


def test_columns_are_the_options_of_machine_add() -> None:
    text = (
        "name,group,jobs,every,grace,owner_mail,storage,after,thaw_budget,keep_chains,keep_days,keep_yearly\n"
        'web-1,web,"system, home",2d,1w,"a@example.org,b@example.org",deep,30d,2.50,2,90,3\n'
    )
    [(where, arguments)] = read(text)
    assert where == "line 2"
    assert arguments == {
        "name": "web-1",
        "group": "web",
        "jobs": ["system", "home"],
        "period_seconds": 172_800,
        "grace_seconds": 604_800,
        "owner_mail": "a@example.org,b@example.org",
        "storage": "deep",
        "storage_after_days": 30,
        "thaw_budget_usd": "2.50",
        "keep_chains": 2,
        "keep_days": 90,
        "keep_yearly": 3,
    }


@pytest.mark.parametrize(
    "text",
    [
        "name,every\nweb-1,1d\nweb-2,\n",
        "\ufeffname;every\r\nweb-1;1d\r\n;\r\n\r\nweb-2;\r\n",
        "Name\tEvery\nweb-1\t1d\nweb-2",
        '"name","every"\n"web-1","1d"\n" web-2 ",""',
        "name,every,,\nweb-1,1d,,\nweb-2,,,\n",
        "name,every\rweb-1,1d\rweb-2,\r",
        '[{"name": "web-1", "every": "1d"}, {"name": "web-2", "every": null}]',
        '\ufeff  [{"Name": "web-1", "every": "1d"},\n{"name": "web-2"}]\n',
    ],
)
def test_each_way_of_saving_it_is_read(text: str) -> None:
    assert [arguments for _, arguments in read(text)] == [
        {"name": "web-1", "period_seconds": 86_400},
        {"name": "web-2"},
    ]


def test_nobody_is_an_owner_too() -> None:
    [(_, arguments)] = read("name,owner_mail\nweb-1,none\n")
    assert arguments == {"name": "web-1", "owner_mail": ""}


def test_json_has_numbers_lists_and_yes_or_no() -> None:
    machine = {
        "name": "disk",
        "job": ["system", "home"],
        "photos": True,
        "source-hint": "D:/Ünter",
        "keep_chains": 2,
    }
    [(where, arguments)] = read(json.dumps([{**machine, "thaw_budget": 2.50}]))
    assert where == "entry 1"
    assert arguments["jobs"] == ["system", "home"]
    assert arguments["photos"] is True
    assert arguments["source_hint"] == "D:/Ünter"
    assert (arguments["keep_chains"], arguments["thaw_budget_usd"]) == (2, "2.5")


def test_all_faults_are_said_at_once_each_with_its_line() -> None:
    text = (
        "name,every,storage,after,keep_days\n"
        "web-1,1d,,,\n"
        "\n"
        "WEB,tomorrow,,,\n"
        ",1d,,,\n"
        "web-2,,cold,,\n"
        "web-3,,deep,0d,\n"
        "web-4,,,7d,x\n"
        "web-1,soon,,,\n"
        "web-5,,,,,oops\n"
    )
    assert faults(text) == [
        "line 4: name: 'WEB' is no name: 1 to 41 lower-case letters, digits and hyphens, not beginning with a hyphen.",
        "line 4: every: “tomorrow” is no duration: write a number and a unit, such as 1d, 12h, 2w or 90m.",
        "line 5: The name is missing.",
        "line 6: storage: 'cold' is no storage: choose standard, instant, flexible, deep.",
        "line 7: storage: deep moves volumes after one of 7d, 30d, 90d, not after 0d.",
        "line 8: keep_days: “x” is no duration: write a number and a unit, such as 1d, 12h, 2w or 90m.",
        "line 9: web-1 is there already, in line 2.",
        "line 9: every: “soon” is no duration: write a number and a unit, such as 1d, 12h, 2w or 90m.",
        "line 10: A cell has no column: 'oops'.",
    ]


def test_lines_in_which_nothing_is_wrong_are_there_to_be_checked_further() -> None:
    entries, wrong = read_machines(b"name,every\nweb-1,1d\nweb-2,soon\nweb-1,1d\nweb-3,\n")
    assert [one.name for one in entries] == ["web-1", "web-3"]
    assert len(wrong) == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "There is no machine in it."),
        (b"\n\n", "There is no machine in it."),
        (b"name\n", "There is no machine in it."),
        (b"[]", "There is no machine in it."),
        (b"name,machine\nx,y\n", "line 1: There is no column 'machine'. There are these: name, group,"),
        (b"name,bucket\nx,y\n", "line 1: There is no column 'bucket'."),
        (b"name,job,jobs\nx,y,z\n", "line 1: The column job is there twice."),
        (b"web-1\nweb-2\n", "line 1: There is no column 'web_1'."),
        (b"every\n1d\n", "line 1: The column name is missing."),
        (
            b"name\nweb-1\nm\xfcller\n",
            "line 3: This is no UTF-8. Save it as UTF-8; Excel calls that CSV UTF-8.",
        ),
        ("name\nweb-1\n".encode("utf-16"), "line 1: This is no UTF-8."),
        (b'name,every\nweb-1,"1d\nweb-2,1d\n', "line 2: This line cannot be read"),
        (b'name\n"web-1" x\n', "line 2: This line cannot be read"),
        (b"x" * (2**20 + 1), "It has 1,048,577 bytes: that is no list of machines."),
        (b'{"name": "web-1"}', "The JSON is no list"),
        (b'[{"name": "web-1"}', "line 1: This is no JSON"),
        (b'["web-1"]', "entry 1: This is no object with a name."),
        (b'[{"name": "web-1", "name": "web-2"}]', "entry 1: The column name is there twice."),
        (
            b'[{"name": "web-1", "every": {"days": 1}}]',
            "entry 1: every is neither a text, a number nor yes or no.",
        ),
        (
            b'[{"name": "web-1", "keep_chains": 1.5}]',
            "entry 1: keep_chains: '1.5' is no whole number from 1.",
        ),
        (b'[{"every": "1d"}]', "entry 1: The name is missing."),
        (b'[{"name": "web-1", "photos": "perhaps"}]', "entry 1: photos: 'perhaps' is neither yes nor no."),
        (b"[" * 100_000, "This JSON is nested too deeply."),
    ],
)
def test_what_is_no_list_of_machines_is_said(data: bytes, said: str) -> None:
    assert faults(data)[0].startswith(said)


def test_a_fault_stays_one_line_without_colours_and_many_are_counted() -> None:
    [line] = faults('name\n"\x1b[31mred\nnext\u202e"\n')
    assert "\\x1b[31mred\\nnext\\u202e" in line
    [line] = faults(f"name\n{'A' * 100_000}\n")
    assert len(line) == LONGEST_FAULT
    lines = faults("name\n" + "A\n" * (MOST_FAULTS + 3))
    assert len(lines) == MOST_FAULTS + 1
    assert lines[-1] == "and 3 more."


NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,10}", fullmatch=True)


@given(
    st.lists(st.tuples(NAMES, st.sampled_from(["", "1d", "2w"])), min_size=1, unique_by=lambda one: one[0])
)
def test_what_a_spreadsheet_saves_is_read_back(machines: list[tuple[str, str]]) -> None:
    wanted = [name for name, _ in machines]
    for delimiter, end in ((",", "\n"), (";", "\r\n"), ("\t", "\r")):
        lines = [delimiter.join(("name", "every")), *(delimiter.join(one) for one in machines)]
        assert [arguments["name"] for _, arguments in read(end.join(lines))] == wanted
    table = [{"name": name, "every": every} for name, every in machines]
    assert [arguments["name"] for _, arguments in read(json.dumps(table))] == wanted


@given(
    st.one_of(
        st.binary(max_size=200), st.text(alphabet='name,;\t\n\r"\0[]{}:x1d', max_size=60).map(str.encode)
    )
)
def test_any_bytes_are_read_or_said_to_be_wrong(data: bytes) -> None:
    try:
        found, _ = read_machines(data)
    except FileFaults:
        return
    assert found

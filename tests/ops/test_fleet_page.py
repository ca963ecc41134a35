"""The page to look at: everything is on it, nothing is fetched or run, and 1,000 machines fit."""

from __future__ import annotations

import dataclasses
import io
import re
import stat
import sys
import unicodedata
import webbrowser
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.fleet.verdict import FleetVerdict, Reason
from chalicelib.domain.shown import HIDDEN_CATEGORIES, shown
from ops.cli import commands
from ops.commands import page as page_command
from ops.commands.status.shown import state_label
from ops.errors import OpsError
from ops.fleet_page import chains, plots
from ops.fleet_page.compose import fleet_page
from ops.fleet_page.facts import FleetFacts
from ops.fleet_page.html import as_html
from tests.fleet_scenes import (
    FLEETS,
    GB,
    HOSTILE,
    a_chain,
    a_job,
    a_machine,
    chains_of,
    facts_of,
    home,
    thousand,
)
from tests.ops.conftest import Owner

MOST_BYTES = 1_000_000


class Reader(HTMLParser):
    """The tags, the attributes, and what a person reads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.seen: list[str] = []
        self._open = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._open = tag

    def handle_data(self, data: str) -> None:
        if self._open not in ("style", "title"):
            self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.seen).split())


def written(facts: FleetFacts) -> str:
    return as_html(fleet_page(facts))


def test_everything_that_is_known_is_on_it() -> None:
    facts = home()
    text = Reader(written(facts)).text
    assert "Of 8 machines 2 need you and 2 want a look" in text
    for machine in facts.status.machines:
        assert machine.machine in text
        assert state_label(machine) in text
    for reason in facts.status.reasons:
        assert reason.message in text
        assert all(command in text for command in reason.commands)
    for finding in facts.findings:
        assert finding.message in text
    for expected in (
        "$67.80 in 2 days",  # a restore from Deep Archive, with the wait for Bulk
        "640 GB, Deep Archive",
        "python -m ops thaw approve 5e02a77c0f1b9d34c6ee --stage home",
        "python -m ops retention approve bens-laptop system --stage home",
        "python -m ops retention undo garage-nas system full.20240501T040000Z --stage home",
        "goes 2 Dec 2026",
        "you hold it",
        "7 of 10 jobs passed the last drill, 1 failed, 2 due.",
        "Due: garage-nas/system, ivan-laptop/system",
        "$0.37 of $5.00, and $3.10 that you approved, and $0.02 for drills",
        "price not known",
    ):
        assert expected in text


def test_each_plot_is_said_in_words_and_stands_in_a_table() -> None:
    page = fleet_page(home())
    assert [plot.title for plot in page.plots] == [
        "Backups that needed you",
        "Stored",
        "Cost a month",
    ]
    assert page.plots[1].words == (
        "Stored: from 1.11 TB on 4 May 2026 to 1.71 TB on 23 Nov 2026; at most 1.71 TB, at least 1.11 TB."
    )
    assert (len(page.weeks), page.weeks[0].day, page.weeks[0].stored) == (30, "23 Nov 2026", "1.71 TB")
    reader = Reader(as_html(page))
    labels = [value for name, value in reader.attributes if name == "aria-label"]
    assert page.plots[1].words in labels
    assert page.weeks[-1].stored in reader.text


def test_what_is_said_of_many_machines_alike_is_said_once_with_all_of_their_names() -> None:
    names = [f"srv-{number}" for number in range(40)]
    new = [
        Reason(FleetVerdict.LOOK, name, "", "It is not enrolled.", (f"python -m ops machine add {name}",))
        for name in names
    ]
    failing = [
        Reason(FleetVerdict.LOOK, name, "system", "It failed.", ("panicroom doctor",)) for name in names[:4]
    ]
    page = fleet_page(facts_of([a_machine(name) for name in names], reasons=[*failing, *new]))
    there, here = page.needs
    assert there.about == "srv-0/system, srv-1/system, srv-2/system, srv-3/system, each:"
    assert (there.where, there.others_too) == ("each of them", "")
    assert here.about == f"{', '.join(names)}, each:"
    text = Reader(as_html(page)).text
    assert "python -m ops machine add srv-0 and the same for each of the others" in text
    assert text.count("machine add srv-") == 1


def test_what_is_worst_comes_first() -> None:
    page = fleet_page(home())
    assert [one.machine for one in page.machines[:4]] == [
        "bens-laptop",
        "david-desktop",
        "carla-studio",
        "ivan-laptop",
    ]
    assert page.machines[1].state == "at risk", "fresh, but with a critical finding"
    assert page.jobs[0].job == "bens-laptop/system"


@pytest.mark.parametrize("scene", [name for name in FLEETS if name != "thousand"])
def test_nothing_is_fetched_and_nothing_runs(scene: str) -> None:
    page = written(FLEETS[scene]())
    assert "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'" in page
    reader = Reader(page)
    assert reader.tags.isdisjoint(
        {"script", "img", "link", "iframe", "object", "embed", "form", "base", "video"}
    )
    names = {name for name, _ in reader.attributes}
    assert not {
        name for name in names if name.startswith("on") or name in ("src", "srcset", "style", "action")
    }
    assert all(value.startswith("#") for name, value in reader.attributes if name == "href")
    assert not re.search(r"url\(|@import|https?:", page)


def test_a_hostile_name_is_text_wherever_it_stands() -> None:
    page = written(FLEETS["hostile"]())
    reader = Reader(page)
    assert shown(HOSTILE) in reader.text
    assert "Forged: line" not in [line.strip() for line in page.splitlines()]
    hidden = [
        letter for letter in page if unicodedata.category(letter) in HIDDEN_CATEGORIES and letter != "\n"
    ]
    assert hidden == []
    known = {name for name, _ in Reader(written(home())).attributes}
    assert {name for name, _ in reader.attributes} <= known, "it has made no attribute of its own"


def test_a_command_with_a_hostile_name_is_one_word_of_a_shell() -> None:
    page = fleet_page(FLEETS["hostile"]())
    [approve] = page.letting_go.lines[0].commands
    assert approve.startswith("python -m ops retention approve $'<script>alert(1)</script>")


def test_a_thousand_machines_fit_into_a_megabyte() -> None:
    facts = thousand()
    assert len(facts.status.machines) == 1000
    assert sum(len(one.chains) for one in facts.retention) == 6000
    assert len(facts.findings) == 300
    page = written(facts)
    assert len(page.encode()) < MOST_BYTES
    text = Reader(page).text
    assert all(machine.machine in text for machine in facts.status.machines)
    assert "Of 1,000 machines 28 need you and 32 want a look" in text
    assert "The other 940 machines, which are well" in text


def test_where_there_are_too_many_chains_the_newest_stay_and_what_is_open() -> None:
    page = fleet_page(thousand())
    with_open = [job for job in page.jobs if any(one.fate.startswith("goes") for one in job.chains)]
    assert len(with_open) == 50
    assert {len(job.chains) + job.older for job in page.jobs} == {3}
    assert sum(len(job.chains) for job in page.jobs) == chains.MOST_CHAINS + 50
    assert page.older_chains == "python -m ops retention preview MACHINE JOB --stage home"
    assert "and 1 older" in as_html(page)


def test_more_findings_than_are_shown_are_counted() -> None:
    facts = home()
    many = dataclasses.replace(facts, findings=facts.findings * 300, findings_left_off=40)
    page = fleet_page(many)
    assert sum(len(group.findings) for group in page.findings) == 500
    assert page.more_findings == "And 140 more findings: python -m ops audit --stage home"


def test_few_chains_are_all_there() -> None:
    many = [a_chain(900 - 10 * number, 895 - 10 * number, GB) for number in range(80)]
    page = fleet_page(
        facts_of([a_machine("a", a_job("system", "fresh", GB))], [chains_of("a", "system", *many)])
    )
    assert len(page.jobs[0].chains) == 80
    assert page.older_chains == ""


# ---------------------------------------------------------------- curves


def corners(path: str) -> list[tuple[int, int]]:
    """Where a path of ``m``, ``h`` and ``l`` comes by."""
    x = y = 0
    found = []
    for step, first, second in re.findall(r"([mhl])(-?\d+)(?: ?(-?\d+))?", path):
        x, y = (int(first), int(second)) if step == "m" else (x + int(first), y + int(second or 0))
        found.append((x, y))
    return found


@given(st.lists(st.tuples(st.integers(0, 340), st.integers(0, 150)), min_size=2, max_size=60))
def test_a_path_goes_through_its_points_and_leaves_out_level_ones(points: list[tuple[int, int]]) -> None:
    points = sorted(points)
    gone = corners(plots.path(points))
    assert (gone[0], gone[-1]) == (points[0], points[-1])
    assert set(gone) <= set(points)
    left_out = [point for point in points if point not in gone]
    assert all(sum(one[1] == point[1] for one in points) >= 3 for point in left_out)


@given(st.floats(0.001, 1e15), st.sampled_from([1, 1024]))
def test_the_top_of_a_plot_is_round_and_just_above(most: float, unit: int) -> None:
    top = plots.nice_top(most, unit)
    assert most <= top * 1.00001
    assert top <= 2.1 * most


@given(st.lists(st.none() | st.floats(0, 1e12), min_size=2, max_size=13).filter(lambda found: any(found)))
def test_a_small_curve_stays_in_its_box(values: list[float | None]) -> None:
    for x, y in corners(plots.small_line(values)):
        assert 0 <= x <= plots.SMALL_WIDTH
        assert 0 <= y <= plots.SMALL_HEIGHT


# ---------------------------------------------------------------- the command


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser was asked to open; the service answers as ``home`` says."""
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", asked.append)
    monkeypatch.setattr(page_command, "admin_client", lambda *_: None)
    monkeypatch.setattr(page_command, "gather_facts", lambda *_: home())
    return asked


def test_only_the_owner_of_the_file_can_read_it(tmp_path: Path, opened: list[str]) -> None:
    for file in (tmp_path / "new.html", tmp_path / "old.html"):
        if file.stem == "old":
            file.write_text("x" * 2_000_000)
            file.chmod(0o644)
        result = CliRunner().invoke(commands, ["page", "--to", str(file), "--stage", "home"])
        assert result.exit_code == 0, result.output
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text() == written(home())
    assert opened == [], "nobody is at a terminal"


def test_at_a_terminal_it_is_opened_unless_that_is_not_wanted(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def types(*words: str) -> None:
        monkeypatch.setattr(sys, "stdout", Terminal())
        commands(["page", "--to", str(tmp_path / "page.html"), *words], standalone_mode=False)

    types()
    assert opened == [(tmp_path / "page.html").as_uri()]
    types("--no-open")
    types("--json")
    assert len(opened) == 1


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path, opened: list[str]) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OpsError, match=r"page\.html cannot be written: "):
        commands(["page", "--to", str(tmp_path / "taken" / "page.html")], standalone_mode=False)


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path, opened: list[str]) -> None:
    file = tmp_path / "tpyo" / "page.html"
    failed = CliRunner().invoke(commands, ["page", "--to", str(file)])
    assert str(failed.exception) == f"{file} cannot be written: No such file or directory."
    assert not file.parent.exists()


def test_it_is_printed_where_the_file_is_a_hyphen(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(commands, ["page", "--to", "-", "--stage", "home"])
    assert list(tmp_path.iterdir()) == []
    assert printed.stdout == written(home())
    assert CliRunner().invoke(commands, ["page", "--to", "-", "--json"]).exit_code == 2


def test_it_is_asked_of_a_real_service_in_pages(owner: Owner, tmp_path: Path) -> None:
    owner.asks("machine", "add", "page-laptop", "--job", "system", "--job", "mail")
    file = tmp_path / "page.html"
    answer = owner.asks("page", "--to", str(file))
    assert answer["file"] == str(file)
    assert answer["bytes"] == file.stat().st_size
    text = Reader(file.read_text()).text
    for expected in ("page-laptop/system", "page-laptop/mail", "not enrolled yet", "no backup yet"):
        assert expected in text

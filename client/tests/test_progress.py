"""What is shown while a backup runs, and what is left standing at its end."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from laptop import Laptop
from panicroom.exit_codes import ExitCode
from panicroom.shown import shown_path
from panicroom.terminal import json_lines
from panicroom.terminal.amounts import clock_text, part_text
from panicroom.terminal.bars import TerminalReporter, by_words
from panicroom.terminal.json_lines import JsonReporter
from panicroom.terminal.plain_lines import PlainReporter
from panicroom.terminal.rates import Flow, RateMeter
from panicroom.terminal.run_totals import RunTotals
from panicroom.terminal.status import status_lines
from panicroom.wire import JobStatus, MachineStatus

SUMMARY = RunTotals("system", "full", False, 3, 1, 0, 13, 40 * 2**20, 10.0, (), 0, "/log")
VOLUME = "data_duplicity-full.20261122T205000Z.vol1.difftar.gpg"


def test_the_end_is_three_lines() -> None:
    assert SUMMARY.lines() == [
        "system: full backup done: 3 new, 1 changed, 0 deleted",
        "system: 13 volumes, 40.0 MB sent in 0:10 at 4.0 MB/s",
        "system: no files were skipped",
    ]


def test_what_was_read_again_has_a_line_of_its_own() -> None:
    summary = dataclasses.replace(SUMMARY, read_again=3, read_again_changed=1)
    assert summary.lines()[1] == "system: read again: 3, changed: 1"


def test_a_line_a_minute_says_what_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, stream = [100.0], io.StringIO()
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    reporter = PlainReporter(stream)
    with reporter.task("system incremental", 4 * 2**20):
        clock[0] += 61
        reporter.event({"event": "reading", "files": 2, "bytes": 3 * 2**19})
    assert stream.getvalue().splitlines()[1] == (
        "  0.0/4.0 MB read (1.5 MB again), 0 volumes stored, 0 bytes sent at 0 bytes/s"
    )


def test_what_was_skipped_is_named_though_a_terminal_could_not_take_the_names() -> None:
    summary = RunTotals(
        "s", "full", True, 0, 0, 0, 1, 9, 0.4, ("/a\nb", "/\udcff\x1b[2J", "/c", "/d"), 2, "/log"
    )
    assert summary.lines()[1:] == [
        "s: 1 volume, 9 bytes sent in 0:00",
        "s: 4 could not be read: /a?b, /??[2J, /c and 1 more; see /log; 2 sockets left out",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (18754, "5:12:34")]
)
def test_durations_are_read_like_a_clock(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


def test_printable_names_stay_as_they_are() -> None:
    assert shown_path("/Bücher/漢字 🙂 [a]") == "/Bücher/漢字 🙂 [a]"


def fed(meter: RateMeter, *events: tuple[str, int]) -> RateMeter:
    for name, count in events:
        meter.take({"event": name, "bytes": count, "name": VOLUME})
    return meter


def test_what_there_will_be_to_send_is_told_from_what_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    meter = RateMeter(1000)
    assert meter.left_seconds is None
    clock[0] += 10
    fed(meter, ("read", 500), ("made", 200), ("sent", 100))
    assert meter.send_total_bytes == 400
    assert meter.left_seconds == 30, "sending takes longer than reading"
    fed(meter, ("read", 1000), ("made", 200), ("sent", 300))
    assert meter.left_seconds == 0


def test_more_than_was_counted_is_never_more_than_all() -> None:
    """Folders count in duplicity's number, and a volume is sent twice where a try failed."""
    meter = fed(RateMeter(1000), ("read", 1500), ("made", 10), ("sent", 30))
    assert meter.read.bytes == 1000
    assert meter.send_total_bytes == 30


def run(reporter: PlainReporter | JsonReporter, clock: list[float], seconds: int) -> None:
    with reporter.task("system full", 1000 * seconds):
        for second in range(1, seconds + 1):
            clock[0] += 1
            for event, count in (("read", 1000 * second), ("made", 1000), ("sent", 1000)):
                reporter.event({"event": event, "bytes": count, "name": VOLUME})


def test_without_a_terminal_a_line_a_minute_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    run(PlainReporter(stream), clock, 150)
    assert stream.getvalue().splitlines() == [
        "system full: 146.5 KB in the source",
        "  58.6/146.5 KB read, 0 volumes stored, 57.6 KB sent at 909 bytes/s, 1:37 left",
        "  117.2/146.5 KB read, 0 volumes stored, 116.2 KB sent at 909 bytes/s, 0:33 left",
    ]


def test_json_tells_how_far_it_is_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    run(JsonReporter(stream), clock, 5)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["begun", *["progress"] * 6]
    assert events[-1]["read_bytes"] == events[-1]["read_total_bytes"] == events[-1]["sent_bytes"] == 5000


def events_of(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


def test_a_program_can_follow_a_backup(laptop: Laptop) -> None:
    (laptop.source / "file").write_bytes(os.urandom(2_000_000))
    laptop.enrol()
    events = events_of(laptop.succeed("backup", "--json"))
    begun, *progressed, last, done = events
    assert begun["event"] == "begun"
    assert {event["event"] for event in [*progressed, last]} == {"progress"}
    assert last["read_bytes"] == last["read_total_bytes"] == 2_000_000
    assert last["volumes"] == done["volumes"] >= 2
    assert done["event"] == "done"
    assert done["sent_bytes"] >= 2_000_000
    (laptop.source / "file").unlink()
    failed = laptop.run("backup", "--json")
    assert events_of(failed.stdout) == [
        {
            "event": "failed",
            "job": "system",
            "exit_code": ExitCode.SOURCE,
            "message": failed.stderr.removeprefix("panicroom: ").strip(),
        }
    ]


def test_the_readme_lists_every_event() -> None:
    from test_readme import README

    said = set(re.findall(r'self\._say\(\s*"(\w+)"', Path(json_lines.__file__).read_text()))
    assert said == {"message", "skipped", "begun", "done", "failed", "progress"}
    assert all(f"| `{event}`" in README for event in said)


def test_a_rate_is_that_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    flow = Flow()
    for _ in range(100):
        clock[0] += 1
        flow.reach(flow.bytes + 1000)
    for _ in range(30):
        clock[0] += 1
        flow.reach(flow.bytes + 10)
    assert flow.rate == 10
    assert flow.left_seconds(flow.bytes + 50) == 5


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [(0, 100, "0/100 bytes"), (1_300_000, 3_700_000_000, "0.0/3.4 GB"), (1_300_000, 1_500_000, "1.2/1.4 MB")],
)
def test_a_part_is_in_the_unit_of_the_whole(done: int, total: int, text: str) -> None:
    assert part_text(done, total) == text


def test_a_narrow_terminal_gets_three_lines_a_job_and_no_table() -> None:
    job = JobStatus(
        "photos-2018", "overdue", 86400, 86400, "GLACIER_IR", 7, "2026-11-20T20:50:00Z", 12, 5 * 2**30
    )
    status = MachineStatus("annas-laptop", "2026-11-22T20:50:00Z", (job,), "0.1.0", "0.1.0")
    assert len(status_lines(status, 120)) == 3
    narrow = status_lines(status, 60)
    assert narrow[1] == "photos-2018: overdue"
    assert narrow[3] == "  chain of 12, 5.0 GB stored (Glacier Instant), every 1 day"
    assert max(map(len, narrow)) <= 60


def test_a_restore_has_a_total_a_share_a_rate_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch)
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    with reporter.task("system restore of everything", 0):
        reporter.event({"event": "expected", "bytes": 400 * 2**20})
        for _second in range(100):
            clock.now += 1
            reporter.event({"event": "received", "bytes": 2**20})
    assert stream.getvalue().splitlines()[-1] == ("  60.0/400.0 MB received (15 %) at 1.0 MB/s, 5:40 left")


def test_a_lost_network_is_reported_with_its_duration_and_until_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = _Clock(monkeypatch)
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    with reporter.task("system restore of everything", 0):
        for waited in (0, 1, 70, 100):
            clock.now += 1 if waited < 70 else 70 if waited == 70 else 30
            reporter.event({"event": "waiting", "seconds": waited})
        clock.now += 60
        reporter.event({"event": "received", "bytes": 5 * 2**20})
    shown = stream.getvalue().splitlines()[1:]
    assert shown[0] == "  waiting for the network for 1:10"
    assert "received" in shown[-1]
    meter = RateMeter(0)
    meter.take({"event": "waiting", "seconds": 1})
    assert meter.waiting_text == ""


@pytest.mark.parametrize(
    "back",
    [
        {"event": "sent", "bytes": 1},
        {"event": "stored", "name": VOLUME},
        {"event": "waiting", "seconds": 0.0},
    ],
)
def test_a_backup_waits_for_the_network_until_something_goes_through(back: dict[str, Any]) -> None:
    meter = RateMeter(1000)
    meter.take({"event": "waiting", "seconds": 70})
    fed(meter, ("read", 500), ("made", 200))
    assert meter.waiting_text == "waiting for the network for 1:10", "files are read without a network"
    meter.take(back)
    assert meter.waiting_text == ""


class _Clock:
    """The time that the meters see."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_command_at_the_end_of_a_line_stays_whole(columns: int) -> None:
    command = "panicroom enrol https://abcdefghij.execute-api.eu-central-1.amazonaws.com/api CODE"
    said = by_words(f"to back up from this computer, with a code of the owner's: {command}", columns)
    *prose, last = said.splitlines()
    assert last == command
    assert max(map(len, prose)) <= columns
    assert " ".join(prose) == "to back up from this computer, with a code of the owner's:"
    assert by_words(command, columns) == command
    assert by_words("type: panicroom status", 80) == "type: panicroom status"


def test_a_sentence_that_goes_on_after_a_command_is_wrapped_like_any() -> None:
    said = by_words("run: panicroom doctor, which says what is wrong with it and what to do", 40)
    assert max(map(len, said.splitlines())) <= 40


def test_a_line_is_wrapped_by_words_and_no_path_is_broken() -> None:
    path = "/home/anna/" + "a-long-name/" * 6
    said = by_words(f"Restored 44 files (68.8 MB) as of 30 Nov 2026 02:04 (the newest backup) to {path}", 60)
    assert said.split("\n") == [
        "Restored 44 files (68.8 MB) as of 30 Nov 2026 02:04 (the",
        "newest backup) to",
        path,
    ]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_bar_of_a_restore_fits_every_terminal_and_is_not_red(columns: int) -> None:
    from rich.console import Console

    stream = io.StringIO()
    reporter = TerminalReporter(stream)
    console = Console(
        file=stream, force_terminal=True, width=columns, color_system="standard", highlight=False
    )
    reporter._console = console
    with reporter.task("system restore of everything", 0):
        reporter.event({"event": "expected", "bytes": 1500 * 2**20})
        reporter.event({"event": "received", "bytes": 375 * 2**20})
        reporter.event({"event": "waiting", "seconds": 42})
        assert reporter._progress is not None
        reporter._progress.refresh()
    shown = stream.getvalue()
    assert "25 %" in shown
    assert "waiting for the network for 0:42" in shown
    assert not re.search(r"\x1b\[(?:\d+;)*(?:31|91)m", shown)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert all(len(line) <= columns for line in re.split(r"[\r\n]", plain))

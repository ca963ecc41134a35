"""``python -m ops status``: for people at sixty columns, for programs, again and again, and what is typed wrong."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from click.testing import CliRunner, Result
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bench.fleet.status import answering, type_status
from chalicelib.domain.audit.findings import command
from chalicelib.domain.fleet.verdict import FleetVerdict, Reason
from chalicelib.fleet_wire import FleetStatus, JobState, MachineState
from chalicelib.owner_wire import MachineListing, MachineRow
from chalicelib.wire import WireError
from ops.cli import commands
from ops.commands.machines.listing import list_table
from ops.commands.status.shown import WELL_SHOWN, headline, show_status, worst_first
from ops.commands.status.watch import watch
from ops.errors import OpsError
from tests.ops.conftest import Owner

BAD, LOOK, WELL = FleetVerdict.BAD, FleetVerdict.LOOK, FleetVerdict.WELL
LONGEST_NAME = "m" * 41
HOSTILE = "\x1b[2J\u202eevil\nBAD [red]x[/] \\"


def machine(
    name: str, verdict: FleetVerdict = WELL, state: str = "fresh", newest: str | None = "2026-11-30T05:00:00Z"
) -> MachineState:
    job = JobState("system", None, state, newest, None, 172_800, 231 * 2**30, 3.2)
    about = ("enrolled", None, None, state, "0.2.0", None, 231 * 2**30, 3.2, (job,))
    return MachineState(name, *about, verdict)


def fleet(*machines: MachineState, reasons: tuple[Reason, ...] = ()) -> FleetStatus:
    worst = worst_first(machines)[0].verdict if machines else WELL
    return FleetStatus("2026-11-30T07:00:00Z", worst, reasons, machines)


OVERDUE = Reason(BAD, "anna", "system", "It is overdue.", ("panicroom doctor",), "overdue")
THAW_LINE = f"python -m ops thaw approve {'a1' * 16} --stage home"
WAITING = Reason(LOOK, "anna", "system", "A thaw waits.", (THAW_LINE,), "thaw_waiting")


def shown(answer: FleetStatus, columns: int = 60, *, every: bool = False, fold: bool = False) -> str:
    said = io.StringIO()
    console = Console(file=said, width=columns, force_terminal=True, color_system=None, highlight=False)
    lines = show_status(answer, stage="home", every=every, columns=columns, fold=fold)
    console.print(lines, crop=False)
    return said.getvalue()


# ---------------------------------------------------------------- for people


def test_the_worst_comes_first_and_many_that_are_well_are_only_counted() -> None:
    well = [machine(f"well-{number}") for number in range(WELL_SHOWN + 1)]
    text = shown(fleet(*well, machine("anna", BAD, "overdue"), machine("ben", LOOK, "failing")))
    assert text.index("anna") < text.index("ben")
    assert "well-0" not in text
    assert "and 11 machines well (11 fresh): --all shows them." in text
    assert "well-0" in shown(fleet(*well), every=True)
    assert "well-0" in shown(fleet(*well[:WELL_SHOWN]))


@pytest.mark.parametrize(
    ("machines", "expected"),
    [
        ([], "WELL: 0 machines, nothing is wrong."),
        ([machine("a")], "WELL: 1 machine, nothing is wrong."),
        ([machine("a", BAD), machine("b")], "BAD: of 2 machines 1 needs you."),
        (
            [machine("a", BAD), machine("b", LOOK), machine("c", LOOK)],
            "BAD: of 3 machines 1 needs you and 2 want a look.",
        ),
        ([machine("a", LOOK)], "LOOK: of 1 machine 1 wants a look."),
    ],
)
def test_the_first_line_says_it_all(machines: list[MachineState], expected: str) -> None:
    assert headline(fleet(*machines)) == expected


def test_what_is_wrong_with_a_bucket_is_in_the_first_line() -> None:
    answer = dataclasses.replace(fleet(machine("a")), verdict=BAD, reasons=(Reason(BAD, "", "", "Public."),))
    assert headline(answer) == "BAD: 1 machine, all well; something is wrong with a bucket."
    assert "a bucket: Public." in shown(answer)


def test_a_machine_that_is_in_time_and_not_whole_is_at_risk() -> None:
    assert "at risk" in shown(fleet(machine("anna", BAD, "fresh")))


def test_each_reason_says_what_to_type_and_where_and_thaws_come_last() -> None:
    text = shown(fleet(machine("anna", BAD, "overdue"), reasons=(WAITING, OVERDUE)))
    assert "anna/system: It is overdue.\n  on anna: panicroom doctor\n" in text
    assert f"anna/system: A thaw waits.\n  {THAW_LINE}\n" in text, "a command is not broken: it is copied"
    assert text.index("overdue.") < text.index("A thaw waits.")


def test_many_reasons_are_counted_and_thaws_are_not_among_them() -> None:
    many = (*(dataclasses.replace(OVERDUE, message=f"It is overdue. {day}") for day in range(30)), WAITING)
    text = shown(fleet(machine("anna", BAD), reasons=many))
    assert "and 5 more reasons: --all shows them." in text
    assert "A thaw waits." in text
    assert shown(fleet(machine("anna", BAD), reasons=many), every=True).count("It is overdue.") == 30


def test_what_is_said_of_many_machines_alike_is_said_once_with_the_number_of_them() -> None:
    many = [f"web-{number}" for number in range(40)]
    new = [
        Reason(LOOK, name, "", "It is revoked.", (f"ops machine add {name}", f"ops machine remove {name}"))
        for name in many
    ]
    late = [dataclasses.replace(OVERDUE, machine=name) for name in many[:4]]
    few = [dataclasses.replace(OVERDUE, machine=name, message="Late.") for name in many[:3]]
    answer = fleet(machine("web-0", BAD), reasons=(*late, *few, *new))
    text = shown(answer, 80).partition("$3.20")[2]
    assert text.strip() == (
        "web-0/system, web-1/system, web-2/system and 1 more, each: It is overdue.\n"
        "  on each: panicroom doctor\n\n"
        "web-0/system: Late.\n  on web-0: panicroom doctor\n\n"
        "web-1/system: Late.\n  on web-1: panicroom doctor\n\n"
        "web-2/system: Late.\n  on web-2: panicroom doctor\n\n"
        "web-0, web-1, web-2 and 37 more, each: It is revoked.\n"
        "  ops machine add web-0\n"
        "  ops machine remove web-0\n"
        "  and the same for each of the others"
    )
    assert all(name in shown(answer, every=True) for name in many)


def test_an_empty_fleet_says_how_to_begin() -> None:
    assert "`python -m ops machine add NAME --stage home`" in shown(fleet(), 100)


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_nothing_is_wider_than_the_terminal_and_no_name_is_cut(columns: int) -> None:
    wide = dataclasses.replace(
        machine(LONGEST_NAME, BAD, "overdue"), group="g" * 41, owner_mail="a.long.name@some.example.org"
    )
    text = shown(
        fleet(wide, reasons=(dataclasses.replace(WAITING, machine=LONGEST_NAME),)), columns, fold=True
    )
    assert max(map(cell_len, text.splitlines())) <= columns
    assert text.replace("\n", "").replace(" ", "").count("m" * 10) >= 1
    together = "".join(line.split("  ")[0].strip() for line in text.splitlines())
    assert LONGEST_NAME in together or LONGEST_NAME in text


def test_hostile_text_is_shown_and_obeyed_by_nobody() -> None:
    evil = dataclasses.replace(
        machine("anna", BAD, "overdue"), group=HOSTILE, owner_mail=HOSTILE, status=HOSTILE
    )
    said = (
        dataclasses.replace(
            OVERDUE, message=HOSTILE, machine=HOSTILE, commands=(command("panicroom", HOSTILE),)
        ),
    )
    text = shown(fleet(evil, reasons=said), 200)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.count("[red]x[/]") == 6, "group, owner, message, command, and the machine twice"
    assert not any(line.startswith("BAD [red]") for line in text.splitlines())


# ---------------------------------------------------------------- the list of machines


def listed(row: MachineRow, columns: int = 60) -> str:
    said = io.StringIO()
    console = Console(file=said, width=columns, force_terminal=True, color_system=None, highlight=False)
    console.print(list_table(MachineListing((row,)), NOW, columns))
    return said.getvalue()


NOW = datetime(2026, 11, 30, 7, 0, tzinfo=timezone.utc)
ROW = MachineRow(
    "anna",
    "enrolled",
    ("system", "home"),
    "2026-11-01T00:00:00Z",
    state="overdue",
    looked_at="2026-11-21T07:00:00Z",
    stored_bytes=231 * 2**30,
    monthly=3.2,
    owner_mail="anna@example.org",
    group="web",
)


def test_a_machine_of_the_list_folds_into_a_second_line_where_the_terminal_is_narrow() -> None:
    _, first, second, *rest = (line.split() for line in listed(ROW, 99).splitlines())
    assert first == ["anna", "overdue", "9", "days", "231", "GB", "$3.20"]
    assert second == ["system,", "home;", "web,", "anna@example.org"]
    assert rest == []
    [_, line] = listed(ROW, 100).splitlines()
    assert line.split() == [*first, *second]


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_the_list_fits_into_the_terminal_with_all_that_is_in_it(columns: int) -> None:
    long = dataclasses.replace(
        ROW, machine=LONGEST_NAME, jobs=("j" * 41,) * 3, status="not enrolled yet", group="g" * 41
    )
    text = listed(long, columns)
    assert max(map(cell_len, text.splitlines())) <= columns
    assert text.count("m") >= 41
    assert text.count("g") >= 41
    assert text.count("j") >= 3 * 41


def test_a_hostile_owner_of_the_list_is_shown_and_obeyed_by_nobody() -> None:
    text = listed(dataclasses.replace(ROW, owner_mail=f"[/]{HOSTILE}@x.y"), 200)
    assert "[/]" in text
    assert "\x1b" not in text


def test_an_older_service_says_less_of_a_machine() -> None:
    assert listed(MachineRow("anna", "enrolled", (), "x")).splitlines()[1].split() == [
        "anna",
        "enrolled",
        "never",
        "nothing",
        "-",
    ]


# ---------------------------------------------------------------- for programs


class Asked:
    """In the place of the service; ``answer`` is given, or raised."""

    def __init__(self) -> None:
        self.answer: FleetStatus | Exception = fleet()

    def ask(self, *_: object, **__: object) -> FleetStatus:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()
    monkeypatch.setattr("ops.commands.status.status.admin_client", lambda *_: made)
    return made


def types(*words: str) -> Result:
    return CliRunner().invoke(commands, ["status", *words])


def refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Invoke")


@pytest.mark.parametrize(("verdict", "code"), [(WELL, 0), (LOOK, 1), (BAD, 2)])
def test_the_exit_code_is_the_verdict_also_with_json(asked: Asked, verdict: FleetVerdict, code: int) -> None:
    asked.answer = fleet(machine("anna", verdict))
    for words in ([], ["--json"]):
        assert types(*words).exit_code == code
    assert json.loads(types("--json").stdout)["machines"][0]["verdict"] == verdict.value


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OpsError("The function is gone."), "The function is gone."),
        (NoCredentialsError(), "AWS"),
        (WireError("machines must be a list"), "another version than this clone"),
        (EndpointConnectionError(endpoint_url="https://x"), "AWS refused"),
        (
            refused("InvalidSignatureException", "Signature expired: 1 is now earlier than 2"),
            "clock is wrong",
        ),
        (refused("InvalidSignatureException", "Signature not yet current: 2"), "clock is wrong"),
        (refused("RequestTimeTooSkewed", "The difference is too large."), "clock is wrong"),
        (refused("InvalidSignatureException", "The signature does not match."), "AWS refused"),
    ],
)
def test_a_service_that_cannot_be_asked_is_unknown(asked: Asked, error: Exception, said: str) -> None:
    asked.answer = error
    result = types()
    assert result.exit_code == 3
    assert result.stdout.startswith("UNKNOWN: ")
    assert said in result.stdout
    for words in (["--json"], ["--prometheus"]):
        result = types(*words)
        assert (result.exit_code, result.stdout) == (3, "")
        assert said in result.stderr


def test_a_local_stack_that_does_not_run_is_unknown(tmp_path: Path) -> None:
    result = types("--state", str(tmp_path))
    assert result.exit_code == 3
    assert "local up" in result.stdout


def test_without_a_terminal_each_machine_is_one_line(asked: Asked) -> None:
    asked.answer = fleet(dataclasses.replace(machine(LONGEST_NAME, BAD, "overdue"), group="web"))
    [line] = [line for line in types().stdout.splitlines() if LONGEST_NAME in line]
    assert line.split() == [LONGEST_NAME, "overdue", "2", "hours", "231", "GB", "$3.20", "web"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--watch"], "needs a terminal: without one use --json or --prometheus"),
        (["--watch", "4"], "4 is not in the range"),
        (["--json", "--prometheus"], "Choose one of"),
        (["--prometheus", "state.txt"], "must end with .prom"),
    ],
)
def test_what_cannot_be_is_refused_with_advice(asked: Asked, words: list[str], said: str) -> None:
    result = types(*words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_metrics_are_printed_or_replace_a_file_in_one_step(asked: Asked, tmp_path: Path) -> None:
    asked.answer = fleet(machine("anna", BAD, "overdue"))
    printed = types("--prometheus")
    assert printed.exit_code == 0
    assert 'panicroom_state{machine="anna",job="system",group=""} 2\n' in printed.stdout
    path = tmp_path / "panicroom.prom"
    path.write_text("old")
    with path.open() as reader:
        assert types("--prometheus", str(path)).exit_code == 0
        assert reader.read() == "old", "whoever reads meanwhile has the whole file of before"
    assert path.read_text() == printed.stdout
    assert path.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_failed_call_leaves_the_file_of_metrics_as_it_was(asked: Asked, tmp_path: Path) -> None:
    path = tmp_path / "panicroom.prom"
    path.write_text("old")
    asked.answer = OpsError("gone")
    assert types("--prometheus", str(path)).exit_code == 3
    assert path.read_text() == "old"


def test_a_folder_that_is_not_there_is_said_in_one_line(asked: Asked, tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "panicroom.prom"
    asked.answer = fleet(machine("anna"))
    failed = types("--prometheus", str(path))
    assert isinstance(failed.exception, OpsError)
    assert str(failed.exception) == f"{path} cannot be written: No such file or directory."


def test_a_thousand_machines_are_one_call() -> None:
    """The command in a process of its own, as ``make bench`` measures it."""
    many = fleet(*(machine(f"m{number}", BAD, "overdue") for number in range(1000)))
    body = json.dumps({"result": many}, default=dataclasses.asdict).encode()
    with answering(body) as service:
        type_status(service)
    assert service.calls == 1


# ---------------------------------------------------------------- again and again


def watched(answers: list[FleetStatus | Exception]) -> str:
    """What a terminal got until Ctrl-C, which comes after the last answer."""
    said = io.StringIO()
    console = Console(file=said, width=60, height=20, force_terminal=True, color_system=None)
    waiting: Iterator[FleetStatus | Exception] = iter(answers)
    waits: list[float] = []

    def ask() -> FleetStatus:
        answer = next(waiting)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == len(answers):
            raise KeyboardInterrupt

    watch(console, ask, lambda answer: Text(headline(answer)), 30, wait)
    assert waits == [30] * len(answers)
    return said.getvalue()


def test_watching_shows_each_answer_and_ends_well() -> None:
    text = watched([fleet(machine("a")), fleet(machine("a", BAD))])
    assert text.index("WELL: 1 machine") < text.index("BAD: of 1 machine")
    assert "Last answer 20" in text
    assert text.rstrip().endswith("nothing was changed.")


def test_a_failed_call_keeps_the_last_answer_and_says_so() -> None:
    last = watched([fleet(machine("a")), OpsError("AWS is away")]).rpartition("Last answer")[2]
    assert "AWS is away" in last
    assert "WELL: 1 machine" in last


def test_a_first_call_that_fails_is_tried_again() -> None:
    text = watched([OpsError("AWS is away"), fleet(machine("a"))])
    assert text.index("No answer yet.") < text.index("WELL: 1 machine")


def test_at_a_terminal_of_sixty_columns_nothing_is_cut_and_ctrl_c_ends_it_well() -> None:
    pexpect = pytest.importorskip("pexpect", reason="the environment is older than requirements-dev.txt")
    answer = fleet(machine("anna", BAD, "overdue"), reasons=(WAITING,))
    with answering(json.dumps({"result": answer}, default=dataclasses.asdict).encode()) as service:
        words = ["-m", "ops", "status", "--stage", "home", "--watch", "500"]
        environment = {**service.environment(), "TERM": "xterm"}
        child = pexpect.spawn(sys.executable, words, env=environment, dimensions=(30, 60), timeout=60)
        child.expect(rb"ends it\.")
        child.expect(b"--stage home")
        child.sendintr()
        child.expect(b"nothing was changed")
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == 0


# ---------------------------------------------------------------- on the local stack


def test_the_state_of_a_stack_is_asked_for_and_machines_are_listed(owner: Owner) -> None:
    owner.types("machine", "add", "lonely", "--owner-mail", "ada@example.org")
    result = owner.types("status", "--all")
    assert result.exit_code in (1, 2), result.output
    assert "lonely" in result.stdout
    answer = json.loads(owner.types("status", "--json").stdout)
    [reason] = [one for one in answer["reasons"] if one["machine"] == "lonely"]
    assert reason["commands"] == ["python -m ops machine add lonely"]
    [state] = [one for one in answer["machines"] if one["machine"] == "lonely"]
    assert (state["status"], state["state"], state["verdict"]) == ("not enrolled yet", "never", "look")
    [listed] = [one for one in owner.asks("machine", "list")["machines"] if one["machine"] == "lonely"]
    assert (listed["state"], listed["stored_bytes"], listed["owner_mail"]) == ("never", 0, "ada@example.org")
    [line] = [line for line in owner.types("machine", "list").stdout.splitlines() if "lonely" in line]
    assert line.split()[1:] == [
        "not",
        "enrolled",
        "yet",
        "never",
        "nothing",
        "-",
        "system;",
        "ada@example.org",
    ]

"""Fleets for the page to look at: a household with trouble, 1,000 machines, hostile names, nothing at all.

    python -m tests.fleet_scenes FOLDER

writes each as HTML.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.fleet.verdict import EXIT_CODES, FleetVerdict, Reason, worst_verdict
from chalicelib.fleet_wire import FleetStatus, FleetWeeks, JobState, MachineState, MachineWeeks, WeekRow
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.owner_wire import (
    ChainRestore,
    ChainRow,
    JobRetention,
    LetGoRow,
    ThawBudget,
    ThawListing,
    ThawRow,
)
from chalicelib.wire import DrillOutcome, DrillStatus, ThawState, ThawTier
from ops.fleet_page.compose import fleet_page
from ops.fleet_page.facts import FleetFacts
from ops.fleet_page.html import as_html

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
MB, GB = 2**20, 2**30
BAD, LOOK, WELL = FleetVerdict.BAD, FleetVerdict.LOOK, FleetVerdict.WELL
VERDICTS = {"overdue": BAD, "failing": LOOK, "never": LOOK}


def ago(days: float) -> str:
    return format_wire_time(NOW - timedelta(days=days))


def a_job(name: str, state: str, size: int, *, newest: float | None = 0.2, drill: str = "passed") -> JobState:
    outcome = DrillOutcome(drill) if drill else None
    status = DrillStatus(
        due=outcome is None,
        every_seconds=90 * 86_400,
        passed_at=ago(12) if outcome is DrillOutcome.PASSED else None,
        outcome=outcome,
        reported_at=ago(12) if outcome else None,
        message="a file of the set full.20260901T040000Z cannot be restored" if drill == "failed" else None,
    )
    newest_at = None if newest is None else ago(newest)
    return JobState(name, None, state, newest_at, None, 3 * 86_400, size, size / GB * 0.004, status)


def a_machine(
    name: str, *jobs: JobState, group: str | None = None, verdict: FleetVerdict | None = None
) -> MachineState:
    worst = max(
        (job.state for job in jobs), key=lambda state: EXIT_CODES[VERDICTS.get(state, WELL)], default="never"
    )
    return MachineState(
        machine=name,
        status="enrolled",
        group=group,
        owner_mail=None,
        state=worst,
        client_version="0.2.0",
        last_used_at=ago(0.2),
        stored_bytes=sum(job.stored_bytes for job in jobs),
        monthly=sum(job.monthly or 0 for job in jobs),
        jobs=jobs,
        verdict=verdict or VERDICTS.get(worst, WELL),
    )


def a_chain(begun: float, ended: float, size: int, **fields: object) -> ChainRow:
    in_class = str(fields.pop("stored_in", "GLACIER_IR"))
    wait = 48 * 3600 if in_class == "DEEP_ARCHIVE" else 0
    usd = size / GB * 0.03 + max(0, size / GB - 100) * 0.09
    transfer = max(0, size / GB - 100) * 0.09
    values = {
        "verdict": "stays",
        "monthly": size / GB * 0.004,
        "restore": ChainRestore(usd, transfer, wait, {in_class: size, "STANDARD": size // 100}),
        **fields,
    }
    name = f"full.{NOW - timedelta(days=begun):%Y%m%dT%H%M%SZ}"
    return ChainRow(name, int(begun - ended) + 1, size, ago(begun), ago(ended), **values)  # type: ignore[arg-type]


def chains_of(machine: str, job: str, *chains: ChainRow, let_go: Sequence[LetGoRow] = ()) -> JobRetention:
    return JobRetention(machine, job, 2, 180, 0, tuple(chains), tuple(let_go), "d")


def weeks_of(machines: Sequence[MachineState], weeks: int, growth: float) -> FleetWeeks:
    """Which ended today, each machine having grown by so much a week; the younger ones began within the weeks."""
    shrinks = [(1 + growth) ** -back for back in range(weeks - 1, -1, -1)]
    stored = sum(one.stored_bytes for one in machines)
    monthly = sum(one.monthly or 0 for one in machines)
    rows = tuple(
        WeekRow(
            ago(7 * (weeks - 1 - index)),
            len(machines),
            (0, 0, 1, 1, 0, 2, 3, 1, 0, 0, 1)[index % 11],
            int(stored * part),
            monthly * part,
        )
        for index, part in enumerate(shrinks)
    )
    last = shrinks[-13:]
    of_machines = tuple(
        MachineWeeks(
            one.machine,
            tuple(
                None if number % 5 == 4 and index < 6 else int(one.stored_bytes * part ** (number % 3))
                for index, part in enumerate(last)
            ),
            tuple(
                None if number % 5 == 4 and index < 6 else (one.monthly or 0) * part ** (number % 3)
                for index, part in enumerate(last)
            ),
        )
        for number, one in enumerate(machines)
    )
    return FleetWeeks(rows, tuple(ago(7 * back) for back in range(len(last) - 1, -1, -1)), of_machines)


def facts_of(
    machines: Sequence[MachineState],
    retention: Sequence[JobRetention] = (),
    *,
    reasons: Sequence[Reason] = (),
    findings: Sequence[Finding] = (),
    thaws: ThawListing | None = None,
    weeks: FleetWeeks | None = None,
    stage: str = "home",
) -> FleetFacts:
    verdict = worst_verdict([*(reason.verdict for reason in reasons), *(one.verdict for one in machines)])
    status = FleetStatus(
        ago(0), verdict, tuple(reasons), tuple(machines), costs_at=ago(7) if machines else None
    )
    return FleetFacts(
        stage,
        status,
        weeks or FleetWeeks((), (), ()),
        tuple(retention),
        "Europe/Berlin",
        thaws or ThawListing((), ()),
        tuple(findings),
    )


def home() -> FleetFacts:
    """Eight machines of a family business, with a little of everything."""
    machines = [
        a_machine(
            "anna-laptop", a_job("system", "fresh", 112 * GB), a_job("photos-2026", "settled", 64 * GB)
        ),
        a_machine("bens-laptop", a_job("system", "overdue", 152 * GB, newest=12), group="office"),
        a_machine(
            "carla-studio", a_job("system", "failing", 69 * GB), a_job("photos-2018", "fresh", 640 * GB)
        ),
        a_machine(
            "david-desktop", a_job("system", "fresh", 32 * GB, drill="failed"), group="office", verdict=BAD
        ),
        a_machine("emma-laptop", a_job("system", "due", 58 * GB, newest=1.4), group="office"),
        a_machine("front-desk", a_job("system", "fresh", 13 * GB), group="office"),
        a_machine("garage-nas", a_job("system", "fresh", 512 * GB, drill="")),
        a_machine("ivan-laptop", a_job("system", "never", 98 * GB, newest=None, drill="")),
    ]
    gap = new_finding(
        "gap",
        machine="david-desktop",
        job="system",
        subject="s",
        message="The set full.20261103T040000Z of david-desktop/system is finished, but lacks volume 5.",
        commands=["python -m ops machine show david-desktop"],
    )
    drill = new_finding(
        "drill_failed",
        machine="david-desktop",
        job="system",
        subject="d",
        message="A drill of david-desktop/system failed.",
    )
    reasons = [
        Reason(
            BAD,
            "bens-laptop",
            "system",
            "Its newest backup is 12 days old; after 3 days it is overdue.",
            ("panicroom doctor",),
        ),
        Reason(
            BAD,
            "david-desktop",
            "system",
            gap.message,
            ("python -m ops machine show david-desktop --stage home",),
        ),
        Reason(
            LOOK,
            "carla-studio",
            "photos-2018",
            "A thaw of 310 GB in 12,400 volumes waits for you: $21.19.",
            ("python -m ops thaw approve 5e02a77c0f1b9d34c6ee --stage home",),
        ),
        Reason(
            LOOK,
            "carla-studio",
            "system",
            "Its last run failed with exit code 30. Its newest backup is 5 hours old.",
            ("panicroom doctor",),
        ),
        Reason(
            LOOK,
            "ivan-laptop",
            "system",
            "Its first backup is on its way: 40 %, about two days left.",
            ("panicroom status",),
        ),
    ]
    gone = LetGoRow(
        "garage-nas",
        "system",
        "full.20240501T040000Z",
        ("full",) * 52,
        "hidden",
        ago(9),
        ago(-21),
        88 * GB,
        3_700,
    )
    asked = (
        "You have not looked at the job's chains since the newer full backup was stored. Look, and approve."
    )
    retention = [
        chains_of(
            "anna-laptop",
            "system",
            a_chain(
                720,
                202,
                98 * GB,
                verdict="waits",
                why="unannounced",
                reason="It is named in two weekly mails before it goes.",
                goes_on=ago(-9),
                final_on=ago(-39),
            ),
            a_chain(200, 0.2, 112 * GB),
        ),
        chains_of("anna-laptop", "photos-2026", a_chain(300, 8, 64 * GB, stored_in="DEEP_ARCHIVE")),
        chains_of(
            "bens-laptop",
            "system",
            a_chain(540, 202, 140 * GB, verdict="needs_you", why="not_looked_at", reason=asked),
            a_chain(200, 12, 152 * GB),
        ),
        chains_of("carla-studio", "system", a_chain(80, 0.2, 69 * GB)),
        chains_of("carla-studio", "photos-2018", a_chain(900, 3, 640 * GB, stored_in="DEEP_ARCHIVE")),
        chains_of("david-desktop", "system", a_chain(20, 0.2, 32 * GB, restore=None, monthly=None)),
        chains_of("emma-laptop", "system", a_chain(15, 1.4, 58 * GB)),
        chains_of("front-desk", "system", a_chain(33, 0.2, 13 * GB)),
        chains_of(
            "garage-nas",
            "system",
            a_chain(700, 300, 400 * GB, held=True, verdict="waits", why="held"),
            a_chain(190, 0.4, 512 * GB),
            let_go=[gone],
        ),
    ]
    thaws = ThawListing(
        (
            ThawRow(
                "5e02a77c0f1b9d34c6ee",
                "carla-studio",
                "photos-2018",
                ThawState.WAITING,
                ThawTier.BULK,
                12_400,
                310 * GB,
                0,
                5,
                ago(0.5),
                ago(-1.5),
                usd=21.1885,
            ),
            ThawRow(
                "7a02a77c0f1b9d34c6ee",
                "anna-laptop",
                "photos-2026",
                ThawState.READY,
                ThawTier.BULK,
                480,
                12 * GB,
                480,
                5,
                ago(3),
                ago(1),
                usd=0.0883,
                readable_until=ago(-2),
            ),
        ),
        (ThawBudget("anna-laptop", 5, 0.0883, 0), ThawBudget("carla-studio", 5, 0.37, 3.1, 0.02)),
    )
    return facts_of(
        machines,
        retention,
        reasons=reasons,
        findings=[gap, drill],
        thaws=thaws,
        weeks=weeks_of(machines, 30, 0.015),
    )


def one_laptop() -> FleetFacts:
    machines = [a_machine("anna-laptop", a_job("system", "fresh", 112 * GB))]
    retention = [chains_of("anna-laptop", "system", a_chain(88, 0.2, 112 * GB))]
    return facts_of(machines, retention, weeks=weeks_of(machines, 11, 0.012))


def thousand() -> FleetFacts:
    """1,000 machines with two jobs each, three chains a job; 60 of them in trouble, and 300 findings."""
    machines, retention, reasons, findings = [], [], [], []
    for number in range(1000):
        name, size = f"office-{number:04d}", (20 + number % 50) * GB
        state = "overdue" if number % 37 == 0 else "failing" if number % 31 == 0 else "fresh"
        jobs = [
            a_job("system", state, size, newest=9 if state == "overdue" else 0.3),
            a_job("home", "fresh", size // 3),
        ]
        machines.append(a_machine(name, *jobs, group=f"floor-{number % 12}"))
        for job in jobs:
            fields = {
                "goes_on": ago(-9),
                "verdict": "waits",
                "why": "unannounced",
                "reason": "It is named in two weekly mails before it goes.",
            }
            old = a_chain(720 - number % 30, 402, size + number * MB, **(fields if number % 40 == 0 else {}))
            middle = a_chain(400, 202, size + number * MB, verdict="waits", why="young", until=ago(-40))
            retention.append(chains_of(name, job.job, old, middle, a_chain(200, 0.3, size + number * MB)))
        if state != "fresh":
            message = "Its newest backup is 9 days old; after 3 days it is overdue."
            reasons.append(Reason(VERDICTS[state], name, "system", message, ("panicroom doctor",)))
        if number < 300:
            message = f"The last run of {name}/home found 1200 files where the one before found 48211."
            findings.append(
                new_finding(
                    "source_shrank",
                    machine=name,
                    job="home",
                    subject="r",
                    message=message,
                    commands=[f"python -m ops machine show {name}"],
                )
            )
    reasons.sort(key=lambda reason: -EXIT_CODES[reason.verdict])
    return facts_of(
        machines, retention, reasons=reasons, findings=findings, weeks=weeks_of(machines, 53, 0.004)
    )


HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;{{ 7*7 }}\u202egpj.exe\u2066\nForged: line"
)


def hostile() -> FleetFacts:
    """Whatever a name or a message may be, were one ever let through."""
    job = a_job(HOSTILE, "overdue", 10 * GB, drill="failed")
    machines = [a_machine(HOSTILE, job, group=HOSTILE)]
    finding = Finding(
        "stray",
        Severity.WARNING,
        HOSTILE,
        HOSTILE,
        HOSTILE,
        HOSTILE,
        HOSTILE,
        HOSTILE,
        (command("aws", "s3", "rm", HOSTILE),),
    )
    reasons = [Reason(BAD, HOSTILE, HOSTILE, HOSTILE, (command("panicroom", "backup", HOSTILE),))]
    gone = LetGoRow(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), "hidden", ago(9), ago(-21), 88 * GB, 3_700)
    chain = a_chain(540, 202, GB, verdict="needs_you", reason=HOSTILE, stored_in=HOSTILE)
    thaw = ThawRow(
        HOSTILE,
        HOSTILE,
        HOSTILE,
        ThawState.WAITING,
        ThawTier.BULK,
        1,
        GB,
        0,
        5,
        ago(1),
        ago(0),
        message=HOSTILE,
    )
    return facts_of(
        machines,
        [chains_of(HOSTILE, HOSTILE, chain, let_go=[gone])],
        reasons=reasons,
        findings=[finding],
        thaws=ThawListing((thaw,), (ThawBudget(HOSTILE, 5, 1, 0),)),
        weeks=weeks_of(machines, 3, 0.1),
        stage="home",
    )


def longest() -> FleetFacts:
    """The longest names there can be."""
    name, job = "w" * 41, "m" * 41
    machines = [a_machine(name, a_job(job, "overdue", 140 * GB, newest=12), group="g" * 41)]
    reasons = [
        Reason(
            BAD,
            name,
            job,
            "Its newest backup is 12 days old; after 3 days it is overdue.",
            ("panicroom doctor",),
        )
    ]
    return facts_of(
        machines,
        [chains_of(name, job, a_chain(200, 12, 140 * GB))],
        reasons=reasons,
        weeks=weeks_of(machines, 53, 0.02),
    )


FLEETS: dict[str, Callable[[], FleetFacts]] = {
    "home": home,
    "one-laptop": one_laptop,
    "thousand": thousand,
    "hostile": hostile,
    "longest": longest,
    "nothing": lambda: facts_of([]),
}

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for scene, facts in FLEETS.items():
        page = as_html(fleet_page(facts()))
        (folder / f"page-{scene}.html").write_text(page, encoding="utf-8")
        print(f"{scene}: {len(page.encode()):,} bytes")

"""What both exporters write, read back by Prometheus' own parser: the owner's, and the one on each machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panicroom.terminal import status as client
from panicroom.wire import JobStatus, MachineStatus

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.fleet.verdict import FleetVerdict
from chalicelib.fleet_wire import FindingsCount, FleetStatus, JobState, MachineState
from chalicelib.owner_wire import ThawRow
from chalicelib.wire import ThawState, ThawTier
from ops.commands.status.metrics import prometheus_text

parser = pytest.importorskip(
    "prometheus_client.parser", reason="the environment is older than requirements-dev.txt"
)

Read = dict[tuple[str, frozenset[tuple[str, str]]], float]

NOW = "2026-11-30T07:00:00Z"
HOUR_AGO = "2026-11-30T06:00:00Z"
AHEAD = "2026-11-30T08:00:00Z"
EXACT = 2**53
"""Eight petabytes: the largest number up to which Prometheus, whose values are floats, is exact."""

STATES = {"fresh": 0, "due": 0, "settled": 0, "paused": 0, "never": 1, "failing": 1, "overdue": 2}

odd = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['"', "\\", "\n", '\\n"', "} 1\npanicroom_state 0", "# HELP", "{}", ",", "ü", "\r", "\x85", "\u2028"]
)


def read(text: str) -> Read:
    """Every sample, by its name and labels. None comes twice, and each is of a gauge with an explanation."""
    found: Read = {}
    for family in parser.text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


def key(name: str, labels: Mapping[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
    return f"panicroom_{name}", frozenset(labels.items())


jobs = st.builds(
    JobState,
    job=odd,
    family=st.none() | odd,
    state=st.sampled_from(list(STATES)),
    newest_complete_at=st.sampled_from([None, HOUR_AGO, AHEAD]),
    checked_at=st.none(),
    late_after_seconds=st.integers(0, EXACT),
    stored_bytes=st.integers(0, EXACT),
    monthly=st.none() | st.floats(0, 1e9),
)
machines = st.builds(
    MachineState,
    machine=odd,
    status=odd,
    group=st.none() | odd,
    owner_mail=odd,
    state=odd,
    client_version=odd,
    last_used_at=st.none(),
    stored_bytes=st.just(0),
    monthly=st.none(),
    jobs=st.lists(jobs, max_size=3, unique_by=lambda job: job.job).map(tuple),
)


def thaw(machine: str, job: str) -> ThawRow:
    return ThawRow("t", machine, job, ThawState.WAITING, ThawTier.BULK, 1, 1, 0, 1, NOW, NOW)


@given(
    st.lists(machines, max_size=3, unique_by=lambda one: one.machine).map(tuple),
    st.sampled_from(FleetVerdict),
    st.lists(
        st.builds(FindingsCount, odd, odd, st.sampled_from(Severity), st.integers(1, 10**6)), max_size=4
    ),
)
def test_what_the_owners_exporter_writes_is_read_as_it_was_meant(
    fleet: tuple[MachineState, ...], verdict: FleetVerdict, counts: list[FindingsCount]
) -> None:
    findings = {(one.machine, one.job, one.severity): one for one in counts}
    thaws = tuple(thaw(one.machine, job.job) for one in fleet for job in one.jobs[:1] for _ in range(2))
    answer = FleetStatus(NOW, verdict, (), fleet, tuple(findings.values()), thaws)
    meant: Read = {
        key("verdict", {}): {"well": 0, "look": 1, "bad": 2}[verdict.value],
        key("written_timestamp_seconds", {}): 1796022000,
    }
    groups = {one.machine: one.group or "" for one in fleet}
    for one in fleet:
        for number, job in enumerate(one.jobs):
            labels = {"machine": one.machine, "job": job.job, "group": one.group or ""}
            meant[key("state", labels)] = STATES[job.state]
            meant[key("late_after_seconds", labels)] = job.late_after_seconds
            meant[key("stored_bytes", labels)] = job.stored_bytes
            meant[key("thaws_waiting", labels)] = 0 if number else 2
            if job.monthly is not None:
                meant[key("monthly_usd", labels)] = job.monthly
            if job.newest_complete_at is not None:
                age = 3600 if job.newest_complete_at == HOUR_AGO else -3600
                meant[key("newest_backup_age_seconds", labels)] = age
    for count in findings.values():
        labels = {"machine": count.machine, "job": count.job, "group": groups.get(count.machine, "")}
        meant[key("findings", {**labels, "severity": count.severity.value})] = count.count
    assert read(prometheus_text(answer)) == meant


def job_status(job: str, state: str, newest: str | None, stored: int) -> JobStatus:
    return JobStatus(
        job=job,
        state=state,
        period_seconds=86_400,
        grace_seconds=86_400,
        archive_class="GLACIER_IR",
        archive_after_days=7,
        newest_complete_at=newest,
        chain_length=2,
        stored_bytes=stored,
    )


client_jobs = st.builds(
    job_status,
    odd,
    st.sampled_from(list(STATES)),
    st.sampled_from([None, HOUR_AGO, AHEAD]),
    st.integers(0, EXACT),
)


@given(odd, st.lists(client_jobs, max_size=3, unique_by=lambda job: job.job))
def test_what_a_machines_exporter_writes_is_read_as_it_was_meant(machine: str, of: list[JobStatus]) -> None:
    meant: Read = {key("written_timestamp_seconds", {}): 1796022000}
    for job in of:
        labels = {"machine": machine, "job": job.job}
        meant[key("state", labels)] = STATES[job.state]
        meant[key("period_seconds", labels)] = 86_400
        meant[key("stored_bytes", labels)] = job.stored_bytes
        meant[key("chain_length", labels)] = 2
        if job.newest_complete_at is not None:
            age = 3600 if job.newest_complete_at == HOUR_AGO else -3600
            meant[key("newest_backup_age_seconds", labels)] = age
    status = MachineStatus(machine, NOW, tuple(of), "0.2.0", "0.1.0")
    assert read(client.prometheus_text(status)) == meant


def test_both_exporters_mean_the_same_by_the_same_name() -> None:
    job = JobState("system", None, "overdue", HOUR_AGO, None, 172_800, 7)
    about: tuple[Any, ...] = ("enrolled", None, None, "overdue", None, None, 7, None)
    fleet = FleetStatus(NOW, FleetVerdict.BAD, (), (MachineState("anna", *about, (job,)),))
    on_machine = MachineStatus("anna", NOW, (job_status("system", "overdue", HOUR_AGO, 7),), "0.2.0", "0.1.0")
    by_owner = {name: value for (name, _), value in read(prometheus_text(fleet)).items()}
    by_machine = {name: value for (name, _), value in read(client.prometheus_text(on_machine)).items()}
    same = by_owner.keys() & by_machine.keys()
    shared = ("state", "newest_backup_age_seconds", "stored_bytes", "written_timestamp_seconds")
    assert same == {f"panicroom_{name}" for name in shared}
    assert {by_owner[name] == by_machine[name] for name in same} == {True}

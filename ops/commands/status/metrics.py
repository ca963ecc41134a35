"""The state of a fleet in Prometheus' text format, for the text folder of a node exporter."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import click

from chalicelib.domain.backups.freshness import State
from chalicelib.domain.fleet.verdict import EXIT_CODES, verdict_of_state
from chalicelib.fleet_wire import FleetStatus, JobState, MachineState
from chalicelib.owner_wire import moment_of
from ops.errors import OpsError

Labels = Mapping[str, str]
Sample = tuple[Labels, float]

SUFFIX = ".prom"
"""The node exporter reads no other files."""


def prometheus_text(answer: FleetStatus) -> str:
    """What a value is missing for has no sample. Names and meanings are those of ``panicroom status --prometheus``
    where both have them."""
    now = moment_of(answer.written_at).timestamp()
    jobs = [(machine, job) for machine in answer.machines for job in machine.jobs]

    def each(value_of: Callable[[JobState], float | None]) -> list[Sample]:
        values = ((_labels(machine, job.job), value_of(job)) for machine, job in jobs)
        return [(labels, value) for labels, value in values if value is not None]

    metrics: tuple[tuple[str, str, Iterable[Sample]], ...] = (
        ("verdict", "0 well, 1 look at it, 2 bad: all machines together", [({}, EXIT_CODES[answer.verdict])]),
        ("state", "0 well, 1 look at it, 2 bad", each(_state)),
        ("newest_backup_age_seconds", "age of the newest complete backup", each(lambda job: _age(job, now))),
        ("late_after_seconds", "period and grace together", each(lambda job: job.late_after_seconds)),
        ("stored_bytes", "bytes stored in the bucket", each(lambda job: job.stored_bytes)),
        ("monthly_usd", "USD a month as of the last weekly mail, before tax", each(lambda job: job.monthly)),
        ("findings", "open findings", _findings(answer)),
        ("thaws_waiting", "thaws that wait for the owner's approval", _thaws(answer)),
        ("written_timestamp_seconds", "when the service answered", [({}, now)]),
    )
    return "".join(line for metric in metrics for line in _lines(*metric))


def _lines(name: str, explanation: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP panicroom_{name} {explanation}\n# TYPE panicroom_{name} gauge\n"
    for labels, value in samples:
        text = ",".join(f'{label}="{_escaped(content)}"' for label, content in labels.items())
        yield f"panicroom_{name}{f'{{{text}}}' if text else ''} {value!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _labels(machine: MachineState, job: str) -> Labels:
    return {"machine": machine.machine, "job": job, "group": machine.group or ""}


def _state(job: JobState) -> int:
    known = {state.value: state for state in State}
    return EXIT_CODES[verdict_of_state(known[job.state])] if job.state in known else 1


def _age(job: JobState, now: float) -> float | None:
    return now - moment_of(job.newest_complete_at).timestamp() if job.newest_complete_at else None


def _findings(answer: FleetStatus) -> Iterator[Sample]:
    groups = {machine.machine: machine.group or "" for machine in answer.machines}
    for finding in answer.findings:
        labels = {"machine": finding.machine, "job": finding.job, "group": groups.get(finding.machine, "")}
        yield {**labels, "severity": finding.severity.value}, finding.count


def _thaws(answer: FleetStatus) -> Iterator[Sample]:
    waiting = Counter((thaw.machine, thaw.job) for thaw in answer.thaws)
    for machine in answer.machines:
        for job in machine.jobs:
            yield _labels(machine, job.job), waiting[machine.machine, job.job]


def write_metrics(path: Path, text: str) -> None:
    """Replaces the file in one step, readable by the exporter's own user. Raises ``click.UsageError`` for a name that
    the exporter would not read, ``OpsError`` where it cannot be written."""
    if path.suffix != SUFFIX:
        raise click.UsageError(f"{path} must end with {SUFFIX}: the node exporter reads no other files.")
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o644)
        fresh.replace(path)
    except OSError as error:
        raise OpsError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)

"""What the journal says of each of the owner's commands: a function of what was asked and what was answered.

No sentence has a code, a token or anybody's mail address, and none repeats free text of a request.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from chalicelib.domain.mail.phrases import count, format_age, format_bytes, format_money
from chalicelib.fleet_wire import (
    AddedOfMany,
    GroupChanged,
    GroupShown,
    MachineDropped,
    MachineDropPlan,
)
from chalicelib.owner_wire import (
    AlertSent,
    AuditAnswer,
    JobPlace,
    LetGoRow,
    MachineAdded,
    MachineChanged,
    MachineShown,
    Quarantined,
    RecoveryMade,
    ReportSent,
    RetentionListing,
    RetentionRan,
    StoredCount,
    ThawRow,
    UndoEnded,
    moment_of,
)
from chalicelib.recovery_code import last_group

Request = Mapping[str, Any]

MOST_NAMES = 3


@dataclasses.dataclass(frozen=True)
class JournalLine:
    """What one entry says."""

    detail: str
    machine: str = ""
    job: str = ""


def lines_about(command: str, request: Request, answer: Any) -> Iterator[JournalLine]:
    """One for each machine or job that was changed; nothing where nothing was."""
    sentences = SENTENCES.get(command)
    if sentences is None:
        yield JournalLine("", str(request.get("name") or ""), str(request.get("job") or ""))
    else:
        yield from sentences(request, answer)


# ---------------------------------------------------------------- machines and codes


def _machine_add(_: Request, answer: MachineAdded) -> Iterator[JournalLine]:
    jobs = [*answer.jobs, *(family.family for family in answer.families)]
    yield JournalLine(f"{_code(answer)} Its jobs: {_names(jobs)}.", answer.machine)


def line_about_added(one: AddedOfMany) -> JournalLine:
    """Of one of many."""
    code = _code(one) if one.code else f"It is {one.status}, and has no new code."
    return JournalLine(f"From a list. {code}", one.machine)


def _machine_rotate(_: Request, answer: MachineAdded) -> Iterator[JournalLine]:
    yield JournalLine(f"{_code(answer)} Its token ends when that is used.", answer.machine)


def _code(answer: MachineAdded | AddedOfMany) -> str:
    made = f"A code was made, valid until {_minute(str(answer.code_expires_at))}."
    if answer.recovery_code:
        made += f" So was a recovery code; its last group is {last_group(answer.recovery_code)}."
    return made


_SETTINGS: Mapping[str, Callable[[Any], str]] = {
    "period_seconds": lambda value: f"every {_duration(value)}",
    "grace_seconds": lambda value: f"grace {_duration(value)}",
    "drill_every_seconds": lambda value: f"a drill every {_duration(value)}" if value else "no drills",
    "storage": lambda value: f"storage {value}",
    "storage_after_days": lambda value: f"after {count(value, 'day')}",
    "storage_cap_bytes": lambda value: f"a storage cap of {format_bytes(value)}",
    "download_cap_bytes": lambda value: f"a download cap of {format_bytes(value)} a day",
    "thaw_budget_usd": lambda value: f"{format_money(Decimal(str(value)))} a month for thaws",
    "keep_chains": lambda value: f"keep {count(value, 'chain')}",
    "keep_days": lambda value: f"keep {count(value, 'day')}",
    "keep_yearly": lambda value: f"keep one a year for {count(value, 'year')}",
    "owner_mail": lambda value: "who has its mail" if value else "nobody has its mail",
    "group": lambda value: "no group" if value == "none" else f"group {value}",
    "as_group": lambda value: f"as its group again: {_names(value)}",
    "unset": lambda value: f"nothing said any more of {_names(value)}",
}
"""By the field of the request, which the service has read when this is asked."""


def settings_changed(request: Request) -> str:
    parts = [
        phrase(request[name]) for name, phrase in _SETTINGS.items() if request.get(name) not in (None, [])
    ]
    return f"Changed: {', '.join(parts)}." if parts else ""


def _machine_set(request: Request, answer: MachineShown | MachineChanged) -> Iterator[JournalLine]:
    yield JournalLine(settings_changed(request), answer.machine, request.get("job") or "")


def _group_add(request: Request, answer: GroupShown) -> Iterator[JournalLine]:
    yield JournalLine(f"Group {answer.group} was added. {settings_changed(_of_group(request))}".strip())


def line_about_group_set(request: Request, group: str) -> JournalLine:
    return JournalLine(f"Group {group}. {_set_of_group(request)}")


def line_about_member_set(request: Request, group: str, machine: str) -> JournalLine:
    return JournalLine(f"As its group {group}. {_set_of_group(request)}", machine)


def line_about_former_member(group: str, machine: str) -> JournalLine:
    return JournalLine(f"In group {group} no longer; its settings stay.", machine)


def _group_remove(_: Request, answer: GroupChanged) -> Iterator[JournalLine]:
    if not answer.missed:
        yield JournalLine(f"Group {answer.group.group} was removed.")


def _set_of_group(request: Request) -> str:
    return settings_changed(_of_group(request)) or "Brought up to date."


def _of_group(request: Request) -> Request:
    return {name: value for name, value in request.items() if name != "group"}


def _written_meanwhile(_: Request, __: object) -> Iterator[JournalLine]:
    """Of several machines, each when it was done: such a command may be ended in the middle."""
    return iter(())


def _machine_pause(_: Request, answer: MachineChanged) -> Iterator[JournalLine]:
    until = f"until {answer.paused_until}" if answer.paused_until else "until it is resumed"
    yield JournalLine(f"No backups are expected {until}.", answer.machine, answer.job or "")


def _machine_resume(_: Request, answer: MachineChanged) -> Iterator[JournalLine]:
    yield JournalLine("Backups are expected again.", answer.machine, answer.job or "")


def _machine_revoke(request: Request, answer: MachineChanged) -> Iterator[JournalLine]:
    if not request.get("recovery"):
        yield JournalLine("Its token ended.", answer.machine)
    elif answer.recovery_ended:
        ended = f"Its recovery code ending in {answer.recovery_ended}, and who read by it, ended."
        yield JournalLine(ended, answer.machine)


def _machine_remove(_: Request, answer: MachineChanged) -> Iterator[JournalLine]:
    yield JournalLine("It is watched no longer; what it stored stays.", answer.machine)


def _machine_drop(_: Request, answer: MachineDropPlan) -> Iterator[JournalLine]:
    sets = count(sum(place.sets for place in answer.jobs), "set")
    yield JournalLine(
        f"Its token and recovery code ended; all that it stored ({sets}) goes for good.", answer.machine
    )


def _machine_dropped(_: Request, answer: MachineDropped) -> Iterator[JournalLine]:
    if answer.ended:
        yield JournalLine("It is gone for good, with all that it stored.", answer.machine)
    elif answer.keys_left:
        yield JournalLine("Not all that it stored is gone yet.", answer.machine)


def _machine_recount(_: Request, answer: StoredCount) -> Iterator[JournalLine]:
    yield JournalLine(f"Counted anew: {format_bytes(answer.stored_bytes)} are stored.", answer.machine)


def _machine_recovery(_: Request, answer: RecoveryMade) -> Iterator[JournalLine]:
    before = f", in place of the one ending in {answer.replaced}" if answer.replaced else ""
    yield JournalLine(f"A recovery code ending in {answer.last_group} was made{before}.", answer.machine)


# ---------------------------------------------------------------- backups


def _set_quarantine(_: Request, answer: Quarantined) -> Iterator[JournalLine]:
    if answer.sets:
        done = "hidden from its machine" if answer.quarantined else "shown again"
        yield JournalLine(
            f"{count(len(answer.sets), 'set')} {done}: {_names(answer.sets)}.", answer.machine, answer.job
        )


def _set_place(request: Request, answer: JobPlace) -> Iterator[JournalLine]:
    yield JournalLine(f"Files of {request['set']} are being brought back.", answer.machine, answer.job)


def _thaw_approve(_: Request, answer: ThawRow) -> Iterator[JournalLine]:
    price = f" at {format_money(Decimal(str(answer.usd)))}" if answer.usd is not None else ""
    since = f" since {_minute(answer.approved_at)}" if answer.approved_at else ""
    yield JournalLine(f"Thaw {answer.thaw} is approved{price}{since}.", answer.machine, answer.job)


def _thaw_deny(_: Request, answer: ThawRow) -> Iterator[JournalLine]:
    yield JournalLine(f"Thaw {answer.thaw} is declined.", answer.machine, answer.job)


def _retention_approve(request: Request, answer: RetentionListing) -> Iterator[JournalLine]:
    named = ", and one of them by name" if request.get("chain") else ""
    for job in answer.jobs:
        if f"{job.machine}/{job.job}" not in answer.changed:
            seen = f"Looked at and approved: {count(len(job.chains), 'chain')}{named}."
            yield JournalLine(seen, job.machine, job.job)


def _retention_hold(request: Request, answer: RetentionListing) -> Iterator[JournalLine]:
    what = "A chain" if request.get("chain") else "All of it"
    done = "is held no longer" if request.get("release") is True else "is held"
    for job in answer.jobs:
        held = [chain.chain for chain in job.chains if chain.held]
        now = f"; held now: {_names(held)}" if held else ""
        yield JournalLine(f"{what} {done}{now}.", job.machine, job.job)


def _retention_run(request: Request, answer: RetentionRan) -> Iterator[JournalLine]:
    gone = f"{count(len(answer.let_go), 'chain')} went" if answer.let_go else "nothing went"
    yield JournalLine(
        f"Letting go was run by hand: {gone}.", str(request.get("name")), str(request.get("job"))
    )


def _retention_undo(_: Request, answer: LetGoRow) -> Iterator[JournalLine]:
    yield JournalLine(f"{answer.chain} is being brought back, and is held.", answer.machine, answer.job)


def _retention_undone(_: Request, answer: UndoEnded) -> Iterator[JournalLine]:
    done = "is back" if answer.is_back else "could not be brought back as a whole"
    yield JournalLine(f"{answer.chain} {done}.", answer.machine, answer.job)


def _retention_drop(_: Request, answer: LetGoRow) -> Iterator[JournalLine]:
    files = count(answer.files, "file")
    yield JournalLine(
        f"{answer.chain} is hidden, and its {files} are to be removed for good.", answer.machine, answer.job
    )


def _retention_dropped(_: Request, answer: LetGoRow) -> Iterator[JournalLine]:
    done = "is gone for good" if answer.state == "gone" else "is not gone as a whole yet"
    yield JournalLine(f"{answer.chain} {done}.", answer.machine, answer.job)


# ---------------------------------------------------------------- audit and mail


def _audit(_: Request, answer: AuditAnswer) -> Iterator[JournalLine]:
    yield JournalLine(f"Audited by hand: {count(len(answer.findings) + answer.left_off, 'finding')}.")


def _alerts_send(_: Request, answer: AlertSent) -> Iterator[JournalLine]:
    ways = [way for way, went in (("mailed", answer.message_id), ("published", answer.published)) if went]
    if ways:
        yield JournalLine(f"Alerts were {' and '.join(ways)} by hand.")


def _report_send(_: Request, answer: ReportSent) -> Iterator[JournalLine]:
    number = len(answer.sent_to)
    yield JournalLine(
        f"The weekly mail was sent by hand to {number} {'address' if number == 1 else 'addresses'}."
    )


SENTENCES: Mapping[str, Callable[[Request, Any], Iterator[JournalLine]]] = {
    "machine_add": _machine_add,
    "machines_add": _written_meanwhile,
    "machine_set": _machine_set,
    "for_machines": _written_meanwhile,
    "group_add": _group_add,
    "group_set": _written_meanwhile,
    "group_remove": _group_remove,
    "machine_pause": _machine_pause,
    "machine_resume": _machine_resume,
    "machine_revoke": _machine_revoke,
    "machine_remove": _machine_remove,
    "machine_drop": _machine_drop,
    "machine_dropped": _machine_dropped,
    "machine_rotate": _machine_rotate,
    "machine_recount": _machine_recount,
    "machine_recovery": _machine_recovery,
    "set_quarantine": _set_quarantine,
    "set_place": _set_place,
    "thaw_approve": _thaw_approve,
    "thaw_deny": _thaw_deny,
    "retention_approve": _retention_approve,
    "retention_hold": _retention_hold,
    "retention_run": _retention_run,
    "retention_undo": _retention_undo,
    "retention_undone": _retention_undone,
    "retention_drop": _retention_drop,
    "retention_dropped": _retention_dropped,
    "audit": _audit,
    "alerts_send": _alerts_send,
    "report_send": _report_send,
}


# ---------------------------------------------------------------- words


def _names(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _duration(seconds: int) -> str:
    return format_age(timedelta(seconds=seconds))


def _minute(text: str) -> str:
    return f"{moment_of(text):%Y-%m-%d %H:%M} UTC"

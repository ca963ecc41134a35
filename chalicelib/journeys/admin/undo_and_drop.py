"""The owner's commands that bring a chain back or remove it for good.

No function may delete a version or a marker: the owner's own credentials do that in between. The first command of each
pair hides or holds, the second one ends it; both may be repeated after a crash.
"""

from __future__ import annotations

import dataclasses

from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.retention.drops import Drop, NotDropped, plan_drop
from chalicelib.domain.retention.let_go import UNDO_IMPOSSIBLE, LetGo, NotWhole, let_go_of, what_is_wrong
from chalicelib.journeys.admin.request import AdminContext, Arguments, bad_request, staying_job
from chalicelib.journeys.admin.retention import JobFacts, change_hold, read_facts_of, the_one_named
from chalicelib.journeys.catalogue.catalogue_changes import refresh_findings
from chalicelib.journeys.retention.describe_retention import let_go_row, named_sets
from chalicelib.owner_wire import DropPlan, LetGoRow, UndoEnded
from chalicelib.wire import ErrorCode

CHANGED = "What there is of this job has changed since it was shown: type the command again."


def retention_undo(context: AdminContext, request: Arguments) -> LetGoRow:
    """Holds the chain and has retention leave it alone; then its files are brought back by the owner's credentials."""
    job = staying_job(context, request)
    store = context.retention
    rows = {one.chain: one for one in store.let_gos(job)}
    name = job.full_name
    if not rows:
        raise bad_request(f"No chain of {name} is let go now: there is nothing to bring back.")
    chain = the_one_named(context, name, str(request.get("chain")), {one: rows[one].begun_at for one in rows})
    let_go = rows[chain]
    if let_go.dropped:
        raise bad_request(
            f"You have removed {chain} of {name} for good (retention drop): nothing brings it back."
        )
    change_hold(context, job, chain)
    undone = dataclasses.replace(let_go, undone_at=let_go.undone_at or context.now)
    if not store.record(undone):
        raise Refusal(
            ErrorCode.TRY_AGAIN,
            f"The files of {chain} of {name} are being marked just now. You hold it; type the command again in some"
            " minutes: it goes on.",
        )
    return let_go_row(undone, job, context.now)


def retention_undone(context: AdminContext, request: Arguments) -> UndoEnded:
    """The chain counts again where all of it is back; else it stays hidden, and a finding says why."""
    job = staying_job(context, request)
    let_go = _let_go_of(context, job, request)
    sets = {one.set_id: one for one in context.catalogue.sets(job)}
    wrong = what_is_wrong(let_go, sets, list(request.get("replaced") or []))
    found = [_undo_impossible(let_go, wrong)] if wrong else []
    context.audit.findings.replace(
        job, found, context.now, codes=[UNDO_IMPOSSIBLE], subjects=[str(let_go.chain)]
    )
    if wrong is None:
        context.retention.end(let_go)
        refresh_findings(context.catalogue, context.audit.findings, job, context.now)
    return UndoEnded(job.machine, job.name, str(let_go.chain), wrong is None, wrong.message if wrong else "")


def retention_drop_plan(context: AdminContext, request: Arguments) -> DropPlan:
    """What would be removed for good; nothing is changed. Refused where others would lose what they need."""
    [one] = read_facts_of(context, [staying_job(context, request)])
    return _plan(context, one, str(request.get("chain")))


def retention_drop(context: AdminContext, request: Arguments) -> LetGoRow:
    """Hides what the owner has confirmed (``chain``, ``sets``); then its versions are deleted by the owner's
    credentials."""
    job = staying_job(context, request)
    [one] = read_facts_of(context, [job])
    plan = _plan(context, one, str(request.get("chain")))
    if list(plan.sets) != request.get("sets"):
        raise Refusal(ErrorCode.TRY_AGAIN, CHANGED)
    dropped = _dropped(context, one, plan)
    refresh_findings(context.catalogue, context.audit.findings, job, context.now)
    return let_go_row(dropped, job, context.now)


def retention_dropped(context: AdminContext, request: Arguments) -> LetGoRow:
    """Ends it where nothing is stored any more; what a lock holds back keeps the row."""
    job = staying_job(context, request)
    let_go = _let_go_of(context, job, request)
    if not _is_stored(context, job, let_go):
        let_go = dataclasses.replace(let_go, marked_at=context.now)
        context.retention.record(let_go)
        context.retention.forget_later(let_go, context.now)
        for set_id in let_go.sets:
            context.catalogue.quarantine(job, set_id, hide=False)
        context.audit.findings.replace(
            job, [], context.now, codes=[UNDO_IMPOSSIBLE], subjects=[str(let_go.chain)]
        )
    refresh_findings(context.catalogue, context.audit.findings, job, context.now)
    return let_go_row(let_go, job, context.now)


def _is_stored(context: AdminContext, job: Job, let_go: LetGo) -> bool:
    """Whether anything of it is in the bucket, as far as it is catalogued, older versions included."""
    pages = context.catalogue.set_pages(job)
    mine = [pages[set_id].backup_set for set_id in let_go.sets if set_id in pages]
    return any(one.current or one.noncurrent for one in mine)


def _let_go_of(context: AdminContext, job: Job, request: Arguments) -> LetGo:
    """By its whole name."""
    for let_go in context.retention.let_gos(job):
        if str(let_go.chain) == request.get("chain"):
            return let_go
    raise Refusal(
        ErrorCode.NOT_FOUND, f"No chain {request.get('chain')} of {job.machine}/{job.name} was let go."
    )


def _undo_impossible(let_go: LetGo, wrong: NotWhole) -> Finding:
    words = let_go.machine, let_go.job, str(let_go.chain)
    return new_finding(
        UNDO_IMPOSSIBLE,
        machine=let_go.machine,
        job=let_go.job,
        subject=str(let_go.chain),
        message=wrong.message,
        evidence=f"let go at {let_go.begun_at:%Y-%m-%d %H:%M} UTC: {let_go.files} files, {let_go.size_bytes} bytes",
        commands=(command("python", "-m", "ops", "retention", "drop" if wrong.is_lost else "undo", *words),),
    )


def _plan(context: AdminContext, one: JobFacts, typed: str) -> DropPlan:
    over = {let_go.chain for let_go in one.let_gos if _is_over(context, one.job, let_go)}
    rows = {let_go.chain: let_go for let_go in one.let_gos if let_go.chain not in over}
    if typed in map(str, over):
        raise bad_request(f"You have removed {typed} of {one.name} for good already.")
    known = {**{chain: row.begun_at for chain, row in rows.items()}, **named_sets(one.facts)}
    name = the_one_named(context, one.name, typed, known)
    if name in rows:
        row = rows[name]
        made = _drop_plan(one.job, name, "chain", row.sets, row.size_bytes, row.files)
        return dataclasses.replace(made, state=let_go_row(row, one.job, context.now).state)
    try:
        drop = plan_drop(one.facts, name)
    except NotDropped as error:
        raise bad_request(str(error)) from None
    _check_no_run(context, one.job, drop)
    what = drop.loose.value if drop.loose else "chain"
    ids = tuple(backup_set.set_id for backup_set in drop.sets)
    made = _drop_plan(one.job, name, what, ids, drop.size_bytes, drop.files)
    return dataclasses.replace(made, leaves_none=drop.leaves_none, is_newest=drop.is_newest)


def _is_over(context: AdminContext, job: Job, let_go: LetGo) -> bool:
    """Not where something was stored under its names since: it is hidden and billed, and can be dropped again."""
    return let_go.dropped and let_go.marked_at is not None and not _is_stored(context, job, let_go)


def _drop_plan(
    job: Job, name: SetId, what: str, sets: tuple[SetId, ...], size_bytes: int, files: int
) -> DropPlan:
    return DropPlan(
        job.machine,
        job.name,
        str(name),
        what,
        tuple(map(str, sets)),
        size_bytes,
        files,
        job.location.bucket,
        job.location.prefix,
        job.storage.archive_class,
        job.storage.archive_after_days,
    )


def _check_no_run(context: AdminContext, job: Job, drop: Drop) -> None:
    """What is being uploaded just now cannot be dropped."""
    lease = context.runs.lease_state(job.machine, job.name).lease
    if lease is None or lease.expires_at <= context.now or all(one.sealed for one in drop.sets):
        return
    raise Refusal(
        ErrorCode.TRY_AGAIN,
        f"A backup of {job.machine}/{job.name} is under way, and what it uploads is part of this. Wait until it is"
        f" done, or until {lease.expires_at:%Y-%m-%d %H:%M} UTC if the machine is gone.",
    )


def _dropped(context: AdminContext, one: JobFacts, plan: DropPlan) -> LetGo:
    """The row that hides it, written or changed. Raises ``Refusal`` where something else was faster."""
    store, name = context.retention, SetId.parse(plan.chain)
    for let_go in one.let_gos:
        if let_go.chain == name:
            dropped = dataclasses.replace(let_go, dropped=True, marked_at=None)
            done = store.record(dropped)
            break
    else:
        sets = [backup_set for backup_set in one.facts.sets if str(backup_set.set_id) in plan.sets]
        dropped = let_go_of(plan.machine, plan.job, name, sets, context.now, dropped=True)
        done = store.begin(dropped, one.job, one.facts.choices)
    if not done:
        raise Refusal(ErrorCode.TRY_AGAIN, CHANGED)
    return dropped

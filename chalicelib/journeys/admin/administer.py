"""The owner's commands, as the functions ``admin`` and ``admin_read`` take them: ``{"command": name, ...arguments}``.

IAM decides who may call which of the two. Answers are the shapes of ``chalicelib.owner_wire``; a refusal says what to
do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.admin.catalogue import (
    catalogue_differences,
    catalogue_objects,
    job_list,
    set_place,
    set_quarantine,
)
from chalicelib.journeys.admin.fleet.add_many import machines_add
from chalicelib.journeys.admin.fleet.bulk import for_machines
from chalicelib.journeys.admin.fleet.drop_machine import machine_drop, machine_drop_plan, machine_dropped
from chalicelib.journeys.admin.fleet.groups import (
    group_add,
    group_list,
    group_remove,
    group_set,
    group_show,
)
from chalicelib.journeys.admin.fleet.status import status
from chalicelib.journeys.admin.journal import caller_of, journal, write_command
from chalicelib.journeys.admin.machines import (
    machine_add,
    machine_list,
    machine_pause,
    machine_recount,
    machine_remove,
    machine_resume,
    machine_revoke,
    machine_rotate,
    machine_set,
    machine_show,
)
from chalicelib.journeys.admin.mail import (
    alerts_preview,
    alerts_send,
    audit,
    findings,
    report_preview,
    report_send,
    report_status,
    report_weeks,
)
from chalicelib.journeys.admin.recovery import machine_recovery
from chalicelib.journeys.admin.request import (
    AdminContext,
    Arguments,
    bad_request,
    said,
)
from chalicelib.journeys.admin.retention import (
    retention_approve,
    retention_hold,
    retention_preview,
    retention_run,
)
from chalicelib.journeys.admin.thaws import thaw_approve, thaw_deny, thaws
from chalicelib.journeys.admin.undo_and_drop import (
    retention_drop,
    retention_drop_plan,
    retention_dropped,
    retention_undo,
    retention_undone,
)
from chalicelib.owner_wire import READ_COMMANDS

Commands = Mapping[str, Callable[[AdminContext, Arguments], Any]]

COMMANDS: Commands = {
    "status": status,
    "machine_list": machine_list,
    "machine_show": machine_show,
    "machine_drop_plan": machine_drop_plan,
    "group_list": group_list,
    "group_show": group_show,
    "job_list": job_list,
    "thaws": thaws,
    "retention_preview": retention_preview,
    "retention_drop_plan": retention_drop_plan,
    "findings": findings,
    "alerts_preview": alerts_preview,
    "catalogue_objects": catalogue_objects,
    "catalogue_differences": catalogue_differences,
    "report_preview": report_preview,
    "report_status": report_status,
    "report_weeks": report_weeks,
    "journal": journal,
    "machine_add": machine_add,
    "machines_add": machines_add,
    "machine_set": machine_set,
    "machine_pause": machine_pause,
    "machine_resume": machine_resume,
    "machine_revoke": machine_revoke,
    "machine_remove": machine_remove,
    "machine_drop": machine_drop,
    "machine_dropped": machine_dropped,
    "machine_rotate": machine_rotate,
    "machine_recount": machine_recount,
    "machine_recovery": machine_recovery,
    "for_machines": for_machines,
    "group_add": group_add,
    "group_set": group_set,
    "group_remove": group_remove,
    "set_quarantine": set_quarantine,
    "set_place": set_place,
    "thaw_approve": thaw_approve,
    "thaw_deny": thaw_deny,
    "retention_approve": retention_approve,
    "retention_hold": retention_hold,
    "retention_run": retention_run,
    "retention_undo": retention_undo,
    "retention_undone": retention_undone,
    "retention_drop": retention_drop,
    "retention_dropped": retention_dropped,
    "audit": audit,
    "alerts_send": alerts_send,
    "report_send": report_send,
}

READS: Commands = {name: command for name, command in COMMANDS.items() if name in READ_COMMANDS}
CHANGES: Commands = {name: command for name, command in COMMANDS.items() if name not in READ_COMMANDS}


def administer(context: AdminContext, request: Arguments, commands: Commands) -> dict[str, Any]:
    """``{"result": ...}`` with the command's answer as JSON, or ``{"error": code, "message": what to do}``.

    ``commands`` are those that the function takes.
    """
    name = str(request.get("command"))
    try:
        if name not in commands:
            raise bad_request(_not_taken(name))
        if name in CHANGES:
            context = dataclasses.replace(context, who=caller_of(context, request))
        answer = commands[name](context, request)
    except Refusal as refusal:
        return {"error": refusal.code.value, "message": said(context, refusal)}
    if name in CHANGES:
        write_command(context, name, request, answer)
    return {"result": dataclasses.asdict(answer)}


def _not_taken(name: str) -> str:
    if name in CHANGES:
        return f"{name} changes something, and this function only looks: the function `admin` does that."
    return f"There is no command {name!r}."

"""Many machines are added at once: all of them are checked before anything of one is written."""

from __future__ import annotations

import dataclasses
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from chalicelib.adapters.stores.fleet.read_at_once import GroupsReadAtOnce, MachinesReadAtOnce
from chalicelib.domain.refusals import Refusal
from chalicelib.fleet_wire import AddedOfMany, MachineResult, MachinesAdded
from chalicelib.journeys.admin.journal import write_lines
from chalicelib.journeys.admin.machines import Addition, add_as_planned, make_codes, plan_addition
from chalicelib.journeys.admin.request import AdminContext, Arguments, bad_request, said
from chalicelib.journeys.admin.states import machine_status
from chalicelib.journeys.journal.sentences import line_about_added

MOST_ADDED = 100
"""Of one call, which ends long before the function does."""

MOST_AT_ONCE = 8
"""Each takes a dozen calls of DynamoDB, one after the other."""


def machines_add(context: AdminContext, request: Arguments) -> MachinesAdded:
    """``machines`` are arguments of ``machine_add`` each. Where one is refused nothing is written; with ``only_check``
    nothing is either.

    A machine that is enrolled keeps its token, and one that was revoked stays so: both get a code with ``new_codes``
    only, so that the same call twice is harmless.
    """
    reading = dataclasses.replace(
        context, machines=MachinesReadAtOnce(context.machines), groups=GroupsReadAtOnce(context.groups)
    )
    planned: list[Addition] = []
    refused: list[MachineResult] = []
    for arguments in _read_machines(request):
        try:
            planned.append(plan_addition(reading, arguments))
        except Refusal as refusal:
            refused.append(MachineResult(str(arguments.get("name")), said(context, refusal)))
    if refused or request.get("only_check"):
        return MachinesAdded((), refused=tuple(refused))
    add = partial(_added, context, new_code=request.get("new_codes") is True)
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        added = list(pool.map(add, planned))
    return MachinesAdded(
        tuple(one for one in added if isinstance(one, AddedOfMany)),
        failed=tuple(one for one in added if isinstance(one, MachineResult)),
    )


def _read_machines(request: Arguments) -> list[dict[str, Any]]:
    machines = request.get("machines")
    if (
        not isinstance(machines, list)
        or not all(isinstance(machine, dict) for machine in machines)
        or not machines
    ):
        raise bad_request("machines is a list of what machine_add takes.")
    if len(machines) > MOST_ADDED:
        raise bad_request(f"{len(machines)} machines are too many at once: name {MOST_ADDED} at most.")
    if any(machine.get("bucket") is not None for machine in machines):
        raise bad_request("A bucket with a backup that was there before is taken in one at a time.")
    twice = [
        name for name, times in Counter(str(machine.get("name")) for machine in machines).items() if times > 1
    ]
    if twice:
        raise bad_request(f"These are named twice: {', '.join(twice)}.")
    return machines


def _added(context: AdminContext, addition: Addition, *, new_code: bool) -> AddedOfMany | MachineResult:
    """One that fails stops no other: their codes would be lost."""
    name = addition.wanted.name
    try:
        add_as_planned(context, addition)
        status = machine_status(addition.machine, context.now)
        added = AddedOfMany(name, status, addition.wanted.group)
        if new_code or not (addition.machine.token_sha256 or addition.machine.revoked_at):
            codes = make_codes(context, addition.wanted)
            made = codes.enrolment, codes.expires_at, codes.recovery
            added = AddedOfMany(name, status, addition.wanted.group, *made)
    except Refusal as refusal:
        return MachineResult(name, said(context, refusal))
    except Exception as error:
        return MachineResult(name, f"It failed: {error}. Type the command again.")
    write_lines(context, "machine_add", [line_about_added(added)])
    return added

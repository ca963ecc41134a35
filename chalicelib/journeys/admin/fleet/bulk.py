"""One command for several machines at once: each answers for itself, and one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.refusals import Refusal
from chalicelib.fleet_wire import MachineResult, MachineResults
from chalicelib.journeys.admin.journal import write_command
from chalicelib.journeys.admin.machine_settings import change_machine
from chalicelib.journeys.admin.machines import (
    machine_pause,
    machine_resume,
    machine_revoke,
    machine_rotate,
)
from chalicelib.journeys.admin.request import AdminContext, Arguments, bad_request, said, staying_machine
from chalicelib.owner_wire import MachineAdded, MachineChanged

MOST_MACHINES = 1000


def for_machines(context: AdminContext, request: Arguments) -> MachineResults:
    """Does ``each`` for all of ``names``, with the other arguments as they are."""
    each, names = str(request.get("each")), request.get("names")
    if each not in FOR_EACH:
        raise bad_request(f"{request.get('each')!r} is nothing to do for several machines at once.")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not names:
        raise bad_request("names is a list of names of machines.")
    if len(names) > MOST_MACHINES:
        raise bad_request(f"{len(names)} machines are too many at once: name {MOST_MACHINES} at most.")
    return MachineResults(
        tuple(_tried(each, context, {**request, "name": name}) for name in dict.fromkeys(names))
    )


def _set(context: AdminContext, request: Arguments) -> MachineChanged:
    """What it is now is left out: that would read every set of every machine."""
    machine = staying_machine(context, request)
    change_machine(context, request, machine)
    return MachineChanged(machine.name)


FOR_EACH: Mapping[str, Callable[[AdminContext, Arguments], MachineChanged | MachineAdded]] = {
    "machine_set": _set,
    "machine_pause": machine_pause,
    "machine_resume": machine_resume,
    "machine_revoke": machine_revoke,
    "machine_rotate": machine_rotate,
}


def _tried(each: str, context: AdminContext, request: dict[str, Any]) -> MachineResult:
    try:
        answer = FOR_EACH[each](context, request)
    except Refusal as refusal:
        return MachineResult(request["name"], said(context, refusal))
    except Exception as error:
        return MachineResult(request["name"], f"It failed: {error}. Type the command again for it.")
    write_command(context, each, request, answer)
    if isinstance(answer, MachineAdded):
        return MachineResult(request["name"], added=answer)
    return MachineResult(request["name"], changed=answer)

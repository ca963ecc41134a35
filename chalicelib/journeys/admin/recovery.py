"""Making, showing and ending the recovery codes of machines."""

from __future__ import annotations

from chalicelib.domain.audit.notices import RECOVERY_MADE, Notice
from chalicelib.domain.backups.machines import Machine
from chalicelib.domain.recovery.recovery import Recovery, new_recovery
from chalicelib.journeys.admin.request import AdminContext, Arguments, staying_machine
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.owner_wire import ReaderRow, RecoveryMade, RecoveryShown
from chalicelib.recovery_code import last_group, new_recovery_code


def machine_recovery(context: AdminContext, request: Arguments) -> RecoveryMade:
    """A new code instead of the machine's present one, whose readers end."""
    machine = staying_machine(context, request)
    before = valid_recovery(context, machine)
    code = new_recovery_code()
    context.recoveries.replace(new_recovery(machine.name, code, context.now))
    _record_made(context, machine, code)
    return RecoveryMade(
        machine.name,
        code,
        format_wire_time(context.now),
        last_group(code),
        before.last_group if before else None,
    )


def first_recovery_code(context: AdminContext, machine: Machine) -> str | None:
    """One for a machine that has none that counts; ``None`` where the paper of before stays good."""
    code = new_recovery_code()
    if not context.recoveries.create(new_recovery(machine.name, code, context.now), machine):
        return None
    if machine.created_at != context.now:
        _record_made(context, machine, code)
    return code


def _record_made(context: AdminContext, machine: Machine, code: str) -> None:
    """The machine's own owner has a mail of it too."""
    message = f"A recovery code was made for {machine.name}: its last group is {last_group(code)}."
    context.notices.put(Notice(RECOVERY_MADE, machine.name, "", message, context.now, last_group(code)))


def end_recovery(context: AdminContext, machine: Machine) -> str | None:
    """The last group of the code that counted until now."""
    before = valid_recovery(context, machine)
    context.recoveries.end(machine.name)
    return before.last_group if before else None


def valid_recovery(context: AdminContext, machine: Machine) -> Recovery | None:
    recovery = context.recoveries.recovery(machine.name)
    return recovery if recovery is not None and recovery.is_of(machine) else None


def show_recovery(context: AdminContext, machine: Machine) -> RecoveryShown | None:
    """With the readers that can read now."""
    recovery = valid_recovery(context, machine)
    if recovery is None:
        return None
    readers = tuple(
        ReaderRow(format_wire_time(reader.made_at), format_wire_time(reader.until), reader.address)
        for reader in recovery.live_readers(context.now)
    )
    return RecoveryShown(format_wire_time(recovery.made_at), recovery.last_group, recovery.uses, readers)

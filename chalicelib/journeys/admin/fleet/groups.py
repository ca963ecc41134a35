"""The owner's commands about groups of machines: add, list, show, set, remove.

A group's row is written first, then each machine, job and family that takes something from it. A call that dies in
between is made good by the same command once more; until then the group shows which machines are behind.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.fleet.following import FIELDS, Row, keeping, may_follow, settled
from chalicelib.domain.fleet.group import MachineGroup
from chalicelib.domain.mail.phrases import count
from chalicelib.domain.photos.family import Family
from chalicelib.fleet_wire import GroupChanged, GroupListing, GroupMember, GroupShown
from chalicelib.journeys.admin.journal import write_lines
from chalicelib.journeys.admin.request import (
    NO_GROUP,
    AdminContext,
    Arguments,
    bad_request,
    known_group,
    read_identifier,
)
from chalicelib.journeys.admin.settings import (
    first_job_settings,
    job_settings,
    machine_settings,
    read_settings,
)
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.journeys.journal.sentences import (
    JournalLine,
    line_about_former_member,
    line_about_group_set,
    line_about_member_set,
)


def group_add(context: AdminContext, request: Arguments) -> GroupShown:
    """A new one, of no machine yet."""
    name = read_identifier(request, "name", "a group")
    if name == NO_GROUP:
        raise bad_request(f"{NO_GROUP} stands for no group: choose another name.")
    group = MachineGroup(name, context.now)
    wanted = _with(group, {**first_job_settings(request, group), **machine_settings(request)})
    if not context.groups.create(wanted):
        raise bad_request(f"There is a group {name} already: `python -m ops group set {name}` changes it.")
    return _show(wanted, [], context)


def group_list(context: AdminContext, _: Arguments) -> GroupListing:
    members = _rows_by_group(context)
    return GroupListing(
        tuple(_show(group, members[group.name], context) for group in context.groups.groups())
    )


def group_show(context: AdminContext, request: Arguments) -> GroupShown:
    group = known_group(context, request.get("name"))
    return _show(group, _rows_by_group(context)[group.name], context)


def group_set(context: AdminContext, request: Arguments) -> GroupChanged:
    """Without a setting it brings those machines up to date that are behind."""
    group = known_group(context, request.get("name"))
    chosen = {**job_settings(request, group), **machine_settings(request)}
    unset = read_settings(request, "unset")
    if unset & set(chosen):
        raise bad_request("A setting is the group's or it is not: leave out one of the two.")
    wanted = _with(group, {**chosen, **dict.fromkeys(unset)})
    if not context.groups.change(group, wanted):
        raise bad_request(f"The group {group.name} was removed at the same moment.")
    write_lines(context, "group_set", [line_about_group_set(request, group.name)])
    line = partial(line_about_member_set, request, group.name)
    return _change_members(context, wanted, lambda row: settled(row, wanted, context.now), "group_set", line)


def group_remove(context: AdminContext, request: Arguments) -> GroupChanged:
    """Refused while machines are in it, unless they shall keep its settings as their own."""
    group = known_group(context, request.get("name"))
    machines = sorted({_machine_of(row) for row in _rows_by_group(context)[group.name]})
    if machines and not request.get("keep_settings"):
        raise bad_request(
            f"The group {group.name} has {count(len(machines), 'machine')}, such as {machines[0]}."
            f" `python -m ops group remove {group.name} --keep-settings` removes it, and they keep its settings as"
            " their own; `python -m ops machine set NAME --group none` takes one out of it first."
        )
    leave = partial(_leaving, group=group)
    line = partial(line_about_former_member, group.name)
    changed = _change_members(context, group, leave, "group_remove", line)
    if changed.missed:
        return changed
    context.groups.remove(group.name)
    # Who was put into it until then would take the service's settings with its next change.
    late = _change_members(context, group, leave, "group_remove", line)
    return GroupChanged(late.group, tuple(sorted({*changed.changed, *late.changed})), late.missed)


def _with(group: MachineGroup, chosen: dict[str, Any]) -> MachineGroup:
    return dataclasses.replace(group, **{FIELDS[setting]: value for setting, value in chosen.items()})


def _leaving(row: Row, group: MachineGroup) -> Row:
    """Keeps what it has, as its own."""
    kept = keeping(row, group)
    return dataclasses.replace(kept, group=None) if isinstance(kept, Machine) else kept


def _change_members(
    context: AdminContext,
    group: MachineGroup,
    changed: Callable[[Row], Row],
    command: str,
    line_about: Callable[[str], JournalLine],
) -> GroupChanged:
    """Machine by machine, each with its line of the journal."""
    done: list[str] = []
    missed: list[str] = []
    rows = sorted(_rows_by_group(context)[group.name], key=_machine_of)
    for machine, its_rows in itertools.groupby(rows, _machine_of):
        before = len(done)
        # Its jobs first: as long as one is missing, the machine still is in the group.
        for row in sorted(its_rows, key=lambda row: isinstance(row, Machine)):
            wanted = changed(row)
            if wanted != row:
                (done if context.machines.change_settings(row, wanted) else missed).append(_name_of(row))
        if len(done) > before:
            write_lines(context, command, [line_about(machine)])
    return GroupChanged(
        _show(group, _rows_by_group(context)[group.name], context), tuple(sorted(done)), tuple(sorted(missed))
    )


def _rows_by_group(context: AdminContext) -> dict[str, list[Row]]:
    """The machines of each group, with all of their jobs and families: three queries, however many there are."""
    machines = context.machines.machines()
    group_of = {machine.name: machine.group for machine in machines}
    found: dict[str, list[Row]] = defaultdict(list)
    rows: list[Row] = [*machines, *context.machines.families(), *context.machines.jobs()]
    for row in rows:
        group = group_of.get(_machine_of(row))
        if group is not None:
            found[group].append(row)
    return found


def _show(group: MachineGroup, rows: list[Row], context: AdminContext) -> GroupShown:
    by_machine: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_machine[_machine_of(row)].append(row)
    storage, retention = group.storage, group.retention
    return GroupShown(
        group.name,
        format_wire_time(group.created_at),
        group.period_seconds,
        group.grace_seconds,
        storage.archive_class if storage else None,
        storage.archive_after_days if storage else None,
        retention.keep_chains if retention else None,
        retention.keep_days if retention else None,
        retention.keep_yearly if retention else None,
        None if group.thaw_budget_usd is None else float(group.thaw_budget_usd),
        group.owner_mail,
        tuple(_member(name, its_rows, group, context) for name, its_rows in sorted(by_machine.items())),
    )


def _member(name: str, rows: list[Row], group: MachineGroup, context: AdminContext) -> GroupMember:
    own = {
        f"{row.name}: {setting}" if isinstance(row, Job | Family) else setting
        for row in rows
        for setting in may_follow(row) - row.follows
    }
    is_behind = any(settled(row, group, context.now) != row for row in rows)
    return GroupMember(name, tuple(sorted(own)), is_behind)


def _machine_of(row: Row) -> str:
    return row.name if isinstance(row, Machine) else row.machine


def _name_of(row: Row) -> str:
    return row.name if isinstance(row, Machine) else f"{row.machine}/{row.name}"

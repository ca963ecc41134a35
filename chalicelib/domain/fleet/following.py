"""Which settings of a machine, a job or a family of photo jobs are its own, and which it takes from its group.

A setting is its own where the owner has chosen it for that machine or job. Each other one is among those that it
``follows``: there the group's value holds, and the service's default where the group says nothing. A row stores the
value that holds, so that no request has to read the group; whoever changes one of the three has the rows settled anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar

from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.fleet.group import MachineGroup
from chalicelib.domain.photos.family import Family

Row = Machine | Job | Family
Kind = TypeVar("Kind", bound=Machine | Job | Family)

FIELDS: Mapping[str, str] = {
    "period": "period_seconds",
    "grace": "grace_seconds",
    "storage": "storage",
    "retention": "retention",
    "thaw_budget": "thaw_budget_usd",
    "owner_mail": "owner_mail",
}
"""The field of each setting, in rows and groups alike."""

OF_MACHINES = frozenset({"thaw_budget", "owner_mail"})
OF_JOBS = frozenset(FIELDS) - OF_MACHINES
OF_PICTURES = frozenset({"retention"})
"""Pictures come once in a while and are read once in years: how often, how late and in which class is theirs to say,
whatever holds for the other backups of a group."""

OWN, DEFAULT = "own", "default"


def may_follow(row: Row) -> frozenset[str]:
    """The settings that it can take from a group."""
    if isinstance(row, Machine):
        return OF_MACHINES
    return OF_PICTURES if isinstance(row, Family) or row.family else OF_JOBS


def default_of(row: Row, setting: str) -> Any:
    """What holds where neither the owner nor a group says anything."""
    kind = Family if isinstance(row, Job) and row.family else type(row)
    return next(field.default for field in dataclasses.fields(kind) if field.name == FIELDS[setting])


def with_own(row: Kind, chosen: Mapping[str, Any]) -> Kind:
    """With the values, by setting, that the owner has chosen for it: no group changes them any more."""
    values = {FIELDS[setting]: value for setting, value in chosen.items()}
    return dataclasses.replace(row, **values, follows=row.follows - set(chosen))


def following(row: Kind, settings: Collection[str]) -> Kind:
    """One that takes these settings from its group too, as far as it can; to be ``settled``."""
    return dataclasses.replace(row, follows=row.follows | (may_follow(row) & set(settings)))


def settled(row: Kind, group: MachineGroup | None, now: datetime) -> Kind:
    """With the values that hold for all that it follows. ``now`` is since when another storage holds."""
    values = {FIELDS[setting]: _given(row, setting, group) for setting in row.follows & may_follow(row)}
    return since(row, dataclasses.replace(row, **values), now)


def since(before: Kind, after: Kind, now: datetime) -> Kind:
    """What is stored already has the tag of the storage before: a job notes since when another one holds."""
    is_moved = isinstance(before, Job) and isinstance(after, Job) and before.storage != after.storage
    changes: dict[str, Any] = {"storage_since": now} if is_moved else {}
    return dataclasses.replace(after, **changes)


def keeping(row: Kind, group: MachineGroup) -> Kind:
    """As it leaves the group and keeps what it has from there, as its own."""
    given = {setting for setting in row.follows if getattr(group, FIELDS[setting]) is not None}
    return dataclasses.replace(row, follows=row.follows - given)


def sources(row: Row, group: MachineGroup | None) -> dict[str, str]:
    """Where the value of each setting comes from: ``own``, ``group web`` or ``default``."""
    settings = OF_MACHINES if isinstance(row, Machine) else OF_JOBS
    return {setting: _source(row, setting, group) for setting in FIELDS if setting in settings}


def followed_of_old(row: Row) -> frozenset[str]:
    """What a row follows that was stored before there were groups: all that is as the default is. Whether the owner
    chose that, nobody knows any more."""
    return frozenset(
        setting for setting in may_follow(row) if getattr(row, FIELDS[setting]) == default_of(row, setting)
    )


def _given(row: Row, setting: str, group: MachineGroup | None) -> Any:
    of_group = getattr(group, FIELDS[setting]) if group else None
    return default_of(row, setting) if of_group is None else of_group


def _source(row: Row, setting: str, group: MachineGroup | None) -> str:
    if setting in row.follows:
        says = group is not None and getattr(group, FIELDS[setting]) is not None
        return f"group {group.name}" if group and says else DEFAULT
    is_theirs = setting not in may_follow(row)  # of pictures: nobody stored whether it was chosen
    is_default = getattr(row, FIELDS[setting]) == default_of(row, setting)
    return DEFAULT if is_theirs and is_default else OWN

"""Machines and groups that are read all at once, for a command that asks for many of them one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

from chalicelib.adapters.stores.fleet.group_store import GroupStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.fleet.group import MachineGroup
from chalicelib.domain.photos.family import Family


class MachinesReadAtOnce(MachineStore):
    """As they were when one was asked for first: what is written by them needs a condition, as everywhere."""

    def __init__(self, store: MachineStore) -> None:
        super().__init__(store._table)

    @cached_property
    def _machines(self) -> dict[str, Machine]:
        return {machine.name: machine for machine in self.machines()}

    @cached_property
    def _jobs(self) -> dict[tuple[str, str], Job]:
        return {(job.machine, job.name): job for job in self.jobs()}

    @cached_property
    def _families(self) -> dict[str, list[Family]]:
        found: dict[str, list[Family]] = defaultdict(list)
        for family in super().families():
            found[family.machine].append(family)
        return found

    def machine(self, name: str) -> Machine | None:
        return self._machines.get(name)

    def jobs_named(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Job]:
        return {name: self._jobs[name] for name in names if name in self._jobs}

    def families(self, machine: str | None = None) -> list[Family]:
        every = self._families
        return every.get(machine, []) if machine else [one for some in every.values() for one in some]


class GroupsReadAtOnce(GroupStore):
    """As they were when one was asked for first."""

    def __init__(self, store: GroupStore) -> None:
        super().__init__(store._table)

    @cached_property
    def _groups(self) -> dict[str, MachineGroup]:
        return {group.name: group for group in self.groups()}

    def group(self, name: str) -> MachineGroup | None:
        return self._groups.get(name)

"""The machines of the demo: made, enrolled, backed up."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chalicelib.owner_wire import JobShown, MachineAdded, SetRow
from ops import environments
from ops.demo.compare_trees import Tree, record_tree
from ops.demo.laptop import Laptop
from ops.demo.source_trees import (
    change_tree,
)
from ops.service.admin_client import AdminClient
from ops.steps import Steps

SETS_OF_A_MACHINE = 2
"""One full and one increment."""


@dataclasses.dataclass
class DemoMachine:
    """A machine of the demonstration, and what its source held at each backup."""

    laptop: Laptop
    make_source: Callable[[Path], None]
    at_full: Tree = dataclasses.field(default_factory=dict)
    at_newest: Tree = dataclasses.field(default_factory=dict)
    jobs: tuple[JobShown, ...] = ()

    @property
    def name(self) -> str:
        return self.laptop.name

    @property
    def sets(self) -> list[SetRow]:
        """What the catalogue knows of its sets, the oldest first."""
        return [row for job in self.jobs for row in job.sets]

    @property
    def time_of_full(self) -> str:
        """``20261122T205000Z``."""
        [full] = [row.set for row in self.sets if row.kind == "full"]
        return full.partition(".")[2]


def install(machines: Sequence[DemoMachine], source: str, steps: Steps) -> None:
    with steps.step("Installing the client as on a laptop"):
        environments.make_missing([environments.LAPTOP])
    with steps.step(f"Copying {source} and making photos"):
        for machine in machines:
            machine.laptop.folder.mkdir()
            machine.make_source(machine.laptop.source)


def enrol(machines: Sequence[DemoMachine], admin: AdminClient, steps: Steps) -> None:
    passphrase = secrets.token_urlsafe(24)
    with steps.step(f"Adding and enrolling {' and '.join(machine.name for machine in machines)}") as say:
        for machine in machines:
            code = admin.ask(MachineAdded, "machine_add", name=machine.name).code
            words = ["enrol", str(admin.api_url), code, "--source", str(machine.laptop.source), "--yes"]
            machine.laptop.run(*words, say=say, passphrase=passphrase)


def back_up_twice(machines: Sequence[DemoMachine], steps: Steps) -> None:
    for machine in machines:
        machine.at_full = record_tree(machine.laptop.source)
    with steps.step("Backing up in full") as say:
        all_at_once(machines, lambda machine: machine.laptop.run("backup", "full", say=say))
    with steps.step("Changing, adding, moving and deleting files"):
        for machine in machines:
            change_tree(machine.laptop.source)
            machine.at_newest = record_tree(machine.laptop.source)
    with steps.step("Backing up what changed") as say:
        all_at_once(machines, lambda machine: machine.laptop.run("backup", "incremental", say=say))


def all_at_once(machines: Sequence[DemoMachine], act: Callable[[DemoMachine], None]) -> None:
    """Two machines do not wait for each other. The first failure is raised once all have ended."""
    with ThreadPoolExecutor(len(machines)) as pool:
        for _ in pool.map(act, machines):
            pass

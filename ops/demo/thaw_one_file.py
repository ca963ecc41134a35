"""One file comes back from Deep Archive: its volumes alone are thawed, for a price that is said before."""

from __future__ import annotations

import dataclasses

from chalicelib.owner_wire import ThawListing
from ops.demo.compare_trees import differences, record_tree
from ops.demo.machines import DemoMachine
from ops.errors import OpsError
from ops.local.thaw_hook import ThawHook
from ops.service.admin_client import AdminClient
from ops.steps import Steps


@dataclasses.dataclass(frozen=True)
class ThawedFile:
    """``volumes`` of the machine's ``archived_volumes`` were thawed for it; ``usd`` is what AWS would charge."""

    machine: str
    path: str
    volumes: int
    archived_volumes: int
    usd: float


def thaw_one_file(
    machine: DemoMachine, hook: ThawHook, admin: AdminClient, steps: Steps
) -> tuple[ThawedFile, list[str]]:
    """The file, and what differs in it. Its machine's volumes stay in Deep Archive."""
    path = _largest_file(machine)
    with steps.step(f"Moving the volumes of {machine.name} to Deep Archive"):
        archived = hook.freeze(machine.name)
    target = machine.laptop.folder / "thawed"
    with steps.step("Thawing what one file needs, and restoring it") as say:
        machine.laptop.run("restore", path, "--to", str(target), "--yes", "--wait", say=say)
    thaws = [row for row in admin.ask(ThawListing, "thaws").thaws if row.machine == machine.name]
    prices = [row.usd for row in thaws if row.usd is not None]
    if len(thaws) != 1 or len(prices) != 1:
        raise OpsError(f"One thaw of {machine.name} with a price was expected, not {thaws}.")
    [thaw], [usd] = thaws, prices
    found = {name: entry for name, entry in record_tree(target).items() if name == path}
    thawed = ThawedFile(machine.name, path, thaw.volumes, archived, usd)
    return thawed, differences({path: machine.at_newest[path]}, found)


def _largest_file(machine: DemoMachine) -> str:
    """Of those whose names fit into a line."""
    files = {
        path: entry.size
        for path, entry in machine.at_newest.items()
        if entry.kind == "file" and path.isprintable()
    }
    return max(sorted(files), key=lambda path: files[path])

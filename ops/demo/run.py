"""``make demo``: the main job from end to end, on real parts, with nothing but this machine.

Two machines are added and enrolled. Each backs up a real tree in full, has files changed, added and deleted,
and backs up an increment. When the catalogue calls all sets complete, the weekly mail is sent, and both states
of both machines are restored and compared with what was on disk then. The bucket may hold nothing that the
catalogue does not know.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from ops import environments
from ops.aws import Aws
from ops.demo.compare_trees import Tree, count_files, differences, record_tree
from ops.demo.laptop import Laptop, gpg_folder
from ops.demo.source_trees import (
    PHOTO_SIZES_MB,
    SessionSizes,
    change_tree,
    copy_tree,
    make_library_tree,
    make_photo_tree,
)
from ops.errors import OpsError
from ops.functions.package import PROJECT
from ops.local.received_mail import ReceivedMail, received_mails, write_mail_files
from ops.local.stack import LocalStack
from ops.local.stack_file import StackDescription
from ops.service.admin_client import AdminClient, local_admin_client
from ops.steps import Say, Steps

DEMO_FOLDER = PROJECT / "build" / "demo"
CATALOGUE_SECONDS = 60
POLL_SECONDS = 0.2
SHOWN_DIFFERENCES = 10
SETS_OF_A_MACHINE = 2
"""One full and one increment."""


@dataclasses.dataclass
class DemoMachine:
    """A machine of the demonstration, and what its source held at each backup."""

    laptop: Laptop
    make_source: Callable[[Path], None]
    at_full: Tree = dataclasses.field(default_factory=dict)
    at_newest: Tree = dataclasses.field(default_factory=dict)
    jobs: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @property
    def name(self) -> str:
        return self.laptop.name

    @property
    def sets(self) -> list[dict[str, Any]]:
        """What the catalogue knows of its sets, the oldest first."""
        return [backup_set for job in self.jobs for backup_set in job["sets"]]

    @property
    def time_of_full(self) -> str:
        """``20261122T205000Z``."""
        [full] = [backup_set["set"] for backup_set in self.sets if backup_set["kind"] == "full"]
        return str(full).partition(".")[2]


@dataclasses.dataclass(frozen=True)
class DemoResult:
    """What ``summary.json`` holds. ``seconds`` is by step; ``differences`` are sentences, none if all is well."""

    machines: list[str]
    jobs: list[str]
    sets: list[str]
    volumes: int
    bytes: int
    mail_subject: str
    files_restored: int
    differences: list[str]
    seconds: dict[str, float]


def run_demo(
    source: Path | None,
    steps: Steps,
    *,
    local: LocalStack,
    folder: Path = DEMO_FOLDER,
    photo_sizes_mb: SessionSizes = PHOTO_SIZES_MB,
) -> DemoResult:
    """Runs all of it on ``local``, which is emptied first and stays up afterwards.

    ``source`` is a person's own folder for the first machine; it is copied and only read. The results are in
    ``folder``. Raises ``OpsError`` where a step fails; a difference found is in the summary instead.
    """
    make_source = partial(copy_tree, source.absolute()) if source else make_library_tree
    make_photos = partial(make_photo_tree, sizes_mb=photo_sizes_mb)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with steps.step("Clearing away an earlier local stack"):
        local.down()
    stack = local.up(steps=steps)
    admin = local_admin_client(stack)
    with gpg_folder() as keys:
        machines = [
            DemoMachine(Laptop("laptop", folder / "laptop", keys), make_source),
            DemoMachine(Laptop("studio", folder / "studio", keys), make_photos),
        ]
        _install(machines, str(source or "the standard library"), steps)
        _enrol(machines, admin, steps)
        _back_up_twice(machines, steps)
        with steps.step("Waiting until the catalogue calls every set complete"):
            _wait_for_sets(machines, admin)
        with steps.step("Sending the weekly mail"):
            mail = _send_report(stack, admin, folder)
        found = [*_restore_and_compare(machines, steps)]
    with steps.step("Comparing the bucket with the catalogue"):
        found += bucket_differences(stack, admin, [machine.name for machine in machines])
    summary = _summarise(machines, mail, found, steps)
    (folder / "summary.json").write_text(json.dumps(dataclasses.asdict(summary), indent=2) + "\n")
    return summary


def failure_sentence(summary: DemoResult) -> str | None:
    """What went wrong, in a few lines; None if nothing did."""
    if not summary.differences:
        return None
    count = len(summary.differences)
    shown = [f"  {sentence}" for sentence in summary.differences[:SHOWN_DIFFERENCES]]
    more = [f"  and {count - SHOWN_DIFFERENCES} more"] if count > SHOWN_DIFFERENCES else []
    return "\n".join([f"Something differs ({count}):", *shown, *more])


def _install(machines: Sequence[DemoMachine], source: str, steps: Steps) -> None:
    with steps.step("Installing the client as on a laptop"):
        environments.make_missing([environments.LAPTOP])
    with steps.step(f"Copying {source} and making photos"):
        for machine in machines:
            machine.laptop.folder.mkdir()
            machine.make_source(machine.laptop.source)


def _enrol(machines: Sequence[DemoMachine], admin: AdminClient, steps: Steps) -> None:
    passphrase = secrets.token_urlsafe(24)
    with steps.step(f"Adding and enrolling {' and '.join(machine.name for machine in machines)}") as say:
        for machine in machines:
            code = admin.call("machine_add", name=machine.name)["code"]
            words = ["enrol", str(admin.api_url), code, "--source", str(machine.laptop.source), "--yes"]
            machine.laptop.run(*words, say=say, passphrase=passphrase)


def _back_up_twice(machines: Sequence[DemoMachine], steps: Steps) -> None:
    for machine in machines:
        machine.at_full = record_tree(machine.laptop.source)
    with steps.step("Backing up in full") as say:
        _all_at_once(machines, lambda machine: machine.laptop.run("backup", "full", say=say))
    with steps.step("Changing, adding, moving and deleting files"):
        for machine in machines:
            change_tree(machine.laptop.source)
            machine.at_newest = record_tree(machine.laptop.source)
    with steps.step("Backing up what changed") as say:
        _all_at_once(machines, lambda machine: machine.laptop.run("backup", "incremental", say=say))


def _wait_for_sets(machines: Sequence[DemoMachine], admin: AdminClient) -> None:
    deadline = time.monotonic() + CATALOGUE_SECONDS
    for machine in machines:
        while True:
            machine.jobs = admin.call("machine_show", name=machine.name)["jobs"]
            complete = [
                backup_set for backup_set in machine.sets if backup_set["sealed"] and backup_set["complete"]
            ]
            if len(machine.sets) == len(complete) == SETS_OF_A_MACHINE:
                break
            if time.monotonic() > deadline:
                raise OpsError(
                    f"The catalogue knows {len(machine.sets)} sets of {machine.name}, {len(complete)} of them"
                    f" complete, after {CATALOGUE_SECONDS} s; {SETS_OF_A_MACHINE} were expected."
                )
            time.sleep(POLL_SECONDS)


def _send_report(stack: StackDescription, admin: AdminClient, folder: Path) -> ReceivedMail:
    message_id = admin.call("report_send")["message_id"]
    for mail in received_mails(stack.endpoint):
        if mail.message_id.partition("@")[0] == message_id.partition("@")[0]:
            write_mail_files(mail, folder)
            return mail
    raise OpsError("The weekly mail was sent, and did not arrive.")


def _restore_and_compare(machines: Sequence[DemoMachine], steps: Steps) -> Iterator[str]:
    def restore(machine: DemoMachine, name: str, *time_option: str, say: Say) -> None:
        target = machine.laptop.folder / name
        machine.laptop.run("restore", "--to", str(target), *time_option, say=say)

    with steps.step("Restoring the newest state") as say:
        _all_at_once(machines, lambda machine: restore(machine, "newest", say=say))
    with steps.step("Restoring the state at the full backup") as say:
        _all_at_once(
            machines, lambda machine: restore(machine, "at-full", "--time", machine.time_of_full, say=say)
        )
    with steps.step("Comparing what was restored with what was backed up"):
        for machine in machines:
            for name, expected in (("newest", machine.at_newest), ("at-full", machine.at_full)):
                found = record_tree(machine.laptop.folder / name)
                yield from (f"{machine.name}/{name}: {text}" for text in differences(expected, found))


def bucket_differences(
    stack: StackDescription,
    admin: AdminClient,
    machines: Sequence[str],
    wait_seconds: float = CATALOGUE_SECONDS,
) -> list[str]:
    """One sentence for each object that the bucket and the catalogue do not agree on, strays included.

    The last events may still be on their way: it compares again for ``wait_seconds`` before it reports them.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        found = _compare_once(stack, admin, machines)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(POLL_SECONDS)


def _compare_once(stack: StackDescription, admin: AdminClient, machines: Sequence[str]) -> list[str]:
    pages = Aws(stack.region, stack.endpoint).client("s3").get_paginator("list_objects_v2")
    stored = {
        item["Key"]: item["Size"]
        for page in pages.paginate(Bucket=stack.bucket)
        for item in page.get("Contents", [])
    }
    known = {item["key"]: item["size"] for machine in machines for item in admin.catalogue_objects(machine)}
    strays = [item["key"] for item in admin.catalogue_strays()]
    return [
        *(
            f"{key} is in the bucket and unknown to the catalogue"
            for key in sorted(stored.keys() - known.keys())
        ),
        *(f"{key} is in the catalogue and not in the bucket" for key in sorted(known.keys() - stored.keys())),
        *(
            f"{key} has {stored[key]} bytes in the bucket and {known[key]} in the catalogue"
            for key in sorted(stored.keys() & known.keys())
            if stored[key] != known[key]
        ),
        *(f"{key} belongs to no machine" for key in strays),
    ]


def _summarise(
    machines: Sequence[DemoMachine], mail: ReceivedMail, found: list[str], steps: Steps
) -> DemoResult:
    sets = [backup_set for machine in machines for backup_set in machine.sets]
    return DemoResult(
        machines=[machine.name for machine in machines],
        jobs=[f"{machine.name}/{job['job']}" for machine in machines for job in machine.jobs],
        sets=[f"{machine.name}/{backup_set['set']}" for machine in machines for backup_set in machine.sets],
        volumes=sum(backup_set["volumes"] for backup_set in sets),
        bytes=sum(backup_set["bytes"] for backup_set in sets),
        mail_subject=mail.subject,
        files_restored=sum(
            count_files(machine.at_full) + count_files(machine.at_newest) for machine in machines
        ),
        differences=found,
        seconds=steps.seconds,
    )


def _all_at_once(machines: Sequence[DemoMachine], act: Callable[[DemoMachine], None]) -> None:
    """Two machines do not wait for each other. The first failure is raised once all have ended."""
    with ThreadPoolExecutor(len(machines)) as pool:
        for _ in pool.map(act, machines):
            pass

"""``make demo``: the main job from end to end, on real parts, with nothing but this machine.

Two machines are added and enrolled. Each backs up a real tree in full, has files changed, added and deleted,
and backs up an increment. When the catalogue calls all sets complete, the weekly mail is sent, and both states
of both machines are restored and compared with what was on disk then. One machine's volumes go to Deep Archive, and
one file comes back from there. The bucket may hold nothing that the catalogue does not know.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from chalicelib.domain.backups.names import SERVICE_PREFIX
from chalicelib.owner_wire import MachineShown, ReportSent
from ops.aws import Aws
from ops.demo.compare_trees import count_files, differences, record_tree
from ops.demo.laptop import Laptop, gpg_folder
from ops.demo.machines import SETS_OF_A_MACHINE, DemoMachine, all_at_once, back_up_twice, enrol, install
from ops.demo.source_trees import (
    PHOTO_SIZES_MB,
    SessionSizes,
    copy_tree,
    make_library_tree,
    make_photo_tree,
)
from ops.demo.thaw_one_file import ThawedFile, thaw_one_file
from ops.errors import OpsError
from ops.functions.package import PROJECT
from ops.local.received_mail import ReceivedMail, received_mails, write_mail_files
from ops.local.stack import LocalStack
from ops.local.stack_file import StackDescription
from ops.local.thaw_hook import ThawHook
from ops.service.admin_client import AdminClient, local_admin_client
from ops.steps import Say, Steps

DEMO_FOLDER = PROJECT / "build" / "demo"
CATALOGUE_SECONDS = 60
POLL_SECONDS = 0.2
SHOWN_DIFFERENCES = 10


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
    thawed: ThawedFile
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
        install(machines, str(source or "the standard library"), steps)
        enrol(machines, admin, steps)
        back_up_twice(machines, steps)
        with steps.step("Waiting until the catalogue calls every set complete"):
            _wait_for_sets(machines, admin)
        with steps.step("Sending the weekly mail"):
            mail = _send_report(stack, admin, folder)
        found = [*_restore_and_compare(machines, steps)]
        thawed, differing = thaw_one_file(machines[0], ThawHook(stack.endpoint), admin, steps)
        found += [f"{thawed.machine}/thawed: {text}" for text in differing]
    with steps.step("Comparing the bucket with the catalogue"):
        found += bucket_differences(stack, admin, [machine.name for machine in machines])
    summary = _summarise(machines, mail, thawed, found, steps)
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


def _wait_for_sets(machines: Sequence[DemoMachine], admin: AdminClient) -> None:
    deadline = time.monotonic() + CATALOGUE_SECONDS
    for machine in machines:
        while True:
            machine.jobs = admin.ask(MachineShown, "machine_show", name=machine.name).jobs
            complete = [row for row in machine.sets if row.sealed and row.complete]
            if len(machine.sets) == len(complete) == SETS_OF_A_MACHINE:
                break
            if time.monotonic() > deadline:
                raise OpsError(
                    f"The catalogue knows {len(machine.sets)} sets of {machine.name}, {len(complete)} of them"
                    f" complete, after {CATALOGUE_SECONDS} s; {SETS_OF_A_MACHINE} were expected."
                )
            time.sleep(POLL_SECONDS)


def _send_report(stack: StackDescription, admin: AdminClient, folder: Path) -> ReceivedMail:
    message_id = admin.ask(ReportSent, "report_send").message_id
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
        all_at_once(machines, lambda machine: restore(machine, "newest", say=say))
    with steps.step("Restoring the state at the full backup") as say:
        all_at_once(
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
        if not item["Key"].startswith(SERVICE_PREFIX)
    }
    known = {item.key: item.size for machine in machines for item in admin.catalogue_objects(machine)}
    strays = [item.key for item in admin.catalogue_strays()]
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
    machines: Sequence[DemoMachine], mail: ReceivedMail, thawed: ThawedFile, found: list[str], steps: Steps
) -> DemoResult:
    sets = [row for machine in machines for row in machine.sets]
    return DemoResult(
        machines=[machine.name for machine in machines],
        jobs=[f"{machine.name}/{job.job}" for machine in machines for job in machine.jobs],
        sets=[f"{machine.name}/{row.set}" for machine in machines for row in machine.sets],
        volumes=sum(row.volumes for row in sets),
        bytes=sum(row.bytes for row in sets),
        mail_subject=mail.subject,
        files_restored=sum(
            count_files(machine.at_full) + count_files(machine.at_newest) for machine in machines
        ),
        thawed=thawed,
        differences=found,
        seconds=steps.seconds,
    )

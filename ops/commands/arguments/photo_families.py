"""A machine's folders of pictures: the options, and what to do on its computer in words for everybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

import click

from chalicelib.domain.mail.phrases import count, format_age, format_bytes
from chalicelib.domain.shown import shown
from chalicelib.owner_wire import FamilyShown, MachineAdded, MachineRow, moment_of
from chalicelib.wire import FamilyStatus
from ops.errors import OpsError


def photo_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--photos`` and ``--source-hint`` at once."""
    photos = click.option(
        "--photos",
        is_flag=True,
        help="A folder of pictures: each folder in it, such as a year, becomes a job `photos-...` by itself. --every,"
        " --grace, --storage and --keep-... are for them.  [default: every 7d, grace 28d, deep after 7d]",
    )
    hint = click.option(
        "--source-hint", help="With --photos: where the pictures are on that machine, as D:/Pictures."
    )
    return photos(hint(command))


def check_photos(photos: bool, source_hint: str | None, bucket: str | None) -> None:
    """Raises ``click.UsageError`` for options that do not go together."""
    if source_hint and not photos:
        raise click.UsageError("--source-hint goes with --photos.")
    if photos and bucket:
        raise click.UsageError("--photos begins anew in the service's own bucket: leave out --bucket.")


def check_families_followed(added: MachineAdded) -> None:
    """Raises ``OpsError`` where an older service has passed over ``--photos``."""
    if not added.families:
        raise OpsError(
            "The service is older than this clone and knows no families of photos yet: deploy it first. It has added"
            f" {', '.join(added.jobs)} instead."
        )


def what_is_added(jobs: Sequence[str], families: Sequence[FamilyStatus]) -> str:
    """``job system and the pictures (photos)``."""
    named = [f"job {jobs[0]}" if len(jobs) == 1 else f"jobs {', '.join(jobs)}"] if jobs else []
    return " and ".join([*named, *(f"the pictures ({family.family})" for family in families)])


def about_pictures(families: Sequence[FamilyStatus]) -> list[str]:
    """What happens on the computer, for somebody who types there what was said."""
    return [
        f"`panicroom enrol` asks for the folder of the pictures{_hint(family)}. Each folder in it, such as a year, is"
        " backed up by itself. A folder that comes later is found by itself, and you get a mail about it."
        for family in families
    ]


def _hint(family: FamilyStatus) -> str:
    return f" (here: {shown(family.source_hint)})" if family.source_hint else ""


def family_line(family: FamilyShown) -> str:
    """``photos: 2018-2026, 9 folders, settled, looked at 2 days ago, 231 GB``."""
    if not family.jobs:
        return f"{family.family}: no folder yet, {family.state}"
    looked = f"looked at {_age(family.looked_at)} ago" if family.looked_at else ""
    size = format_bytes(family.stored_bytes)
    parts = (family.years, count(len(family.jobs), "folder"), family.state, looked, size)
    return f"{family.family}: {', '.join(filter(None, parts))}"


def jobs_shown(row: MachineRow) -> str:
    """A line each; the jobs of a family are one."""
    of_families = {job for family in row.families for job in family.jobs}
    own = ", ".join(job for job in row.jobs if job not in of_families)
    return "\n".join(filter(None, (own, *map(family_line, row.families))))


def _age(text: str) -> str:
    return format_age(datetime.now(timezone.utc) - moment_of(text))

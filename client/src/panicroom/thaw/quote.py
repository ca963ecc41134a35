"""What a job's volumes cost, asked before anything is begun: for a plan over several jobs."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection

from panicroom.api import Api, ApiError
from panicroom.settings import Settings
from panicroom.thaw.remembered import RememberedThaws
from panicroom.thaw.volumes import is_archived, shared_line, thaw_request
from panicroom.thaw.waiting import UNDER_WAY
from panicroom.wire import ListedFile, ThawPlan, ThawState


def is_begun(settings: Settings, job: str, api: Api, volumes: Collection[ListedFile]) -> bool:
    """Whether a thaw of this computer has what is archived of these: it was agreed to, and costs nothing more."""
    thaw = RememberedThaws(settings.job_state(job) / "thaws.json").find(
        file.name for file in volumes if is_archived(file)
    )
    if thaw is None:
        return False
    try:
        return api.thaw_status(job, thaw).state in (*UNDER_WAY, ThawState.READY)
    except ApiError:
        return False  # the plan says why


def quote(job: str, api: Api, volumes: Collection[ListedFile], line: int | None, share: float) -> ThawPlan:
    """The plan of a thaw, which is not begun. ``line`` is in bytes a second. Raises ``ApiError``."""
    return api.plan_thaw(job, thaw_request((file.name for file in volumes), shared_line(line, share)))

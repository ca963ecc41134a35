"""The backend of a restore: what duplicity sees of the bucket are the planned sets and volumes, and nothing else."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from typing import Any

from panicroom.api import RUNNING_SECONDS, Api
from panicroom.duplicity_run.child.backend import ServiceBackend
from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.plan import ChildPlan
from panicroom.duplicity_run.restore_plan import ChildRestore, partial_path
from panicroom.transfer.downloader import Downloader


class PlannedBackend(ServiceBackend):
    """Reads only. Volumes fetched ahead go into the spool, where a later try finds them."""

    def __init__(
        self, parsed_url: Any, *, child: ChildPlan, plan: ChildRestore, token: str, events: Events
    ) -> None:
        api = Api(child.url, token, patience_seconds=RUNNING_SECONDS)
        super().__init__(
            parsed_url,
            api=api,
            job=child.job,
            events=events,
            run=None,
            uploader=None,
            journal=None,
            before_volume=lambda _name, _size: None,
            at_end=lambda: None,
        )
        self._plan, self._sizes = plan, dict(plan.sizes)
        self._downloader.close()
        self._downloader = Downloader(
            api,
            child.job,
            lambda name: partial_path(plan.spool / name),
            lambda count: events.send("received", bytes=count),
            lambda seconds: events.send("waiting", seconds=seconds),
        )

    def _list(self) -> list[str]:
        """The planned sets, whatever else is stored: duplicity must not choose another chain."""
        volumes = (name for of_set in self._plan.volumes.values() for name in of_set.values())
        return [*self._plan.manifests, *volumes]

    def pre_process_download_batch(self, remote_filenames: list[bytes]) -> None:
        missing = [name for name in remote_filenames if not (self._plan.spool / os.fsdecode(name)).exists()]
        super().pre_process_download_batch(missing)

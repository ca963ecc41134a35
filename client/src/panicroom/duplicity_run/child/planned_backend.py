"""The backend of a restore: duplicity sees no set at all, and is given the planned volumes one by one."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from panicroom.duplicity_run.child.backend import ServiceBackend, patient_api
from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.plan import ChildPlan
from panicroom.duplicity_run.restore_plan import ChildRestore, partial_path


class PlannedBackend(ServiceBackend):
    """Reads only. Volumes fetched ahead go into the spool, where a later try finds them."""

    def __init__(
        self,
        parsed_url: Any,
        *,
        child: ChildPlan,
        plan: ChildRestore,
        token: str,
        events: Events,
        at_end: Callable[[], None],
    ) -> None:
        self._plan = plan
        super().__init__(
            parsed_url,
            api=patient_api(child, token, events),
            job=child.job,
            events=events,
            run=None,
            uploader=None,
            journal=None,
            before_volume=lambda _name, _size: None,
            at_end=at_end,
        )
        self._sizes = {volume.name: volume.size for volume in plan.volumes}

    def _path_ahead(self, name: str) -> Path:
        return partial_path(self._plan.spool / name)

    def _list(self) -> list[str]:
        """What is to be read is planned; duplicity's own account of a long chain takes seconds."""
        return []

    def pre_process_download_batch(self, remote_filenames: list[bytes]) -> None:
        missing = [name for name in remote_filenames if not (self._plan.spool / os.fsdecode(name)).exists()]
        super().pre_process_download_batch(missing)

"""Backs up photo jobs: those that have changed, after a look at what a renamed folder would cost."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable

from panicroom.exit_codes import ExitCode, Problem
from panicroom.photos.moves import Renamed, renamed_folders
from panicroom.photos.settled import Looked, look_through, report_settled
from panicroom.photos.walk import forget_walk, store_walk
from panicroom.settings import JobSettings, Settings
from panicroom.terminal.amounts import size_text
from panicroom.terminal.reporter import Reporter
from panicroom.terminal.status import fetch_status
from panicroom.wire import MachineStatus


class PhotoBackups:
    """Of one ``panicroom backup``. ``agree`` says whether a renamed folder may be uploaded again."""

    def __init__(self, settings: Settings, reporter: Reporter, agree: Callable[[str], bool]) -> None:
        self._settings, self._reporter, self._agree = settings, reporter, agree
        self._settled: dict[str, list[Looked]] = defaultdict(list)

    @functools.cached_property
    def _status(self) -> MachineStatus:
        return fetch_status(self._settings)

    def back_up(self, job: JobSettings, make: Callable[[], None], *, always: bool) -> None:
        """``make`` makes a set, unless nothing has changed; ``always``: also then. Raises ``Problem``."""
        assert job.family is not None
        looked = look_through(self._settings, job, self._status)
        if looked.is_settled and not always:
            self._settled[job.family].append(looked)
            return
        if looked.before is not None:
            self._check_names(job, renamed_folders(looked.before, looked.walk))
        make()
        state = self._settings.job_state(job.job)
        if looked.walk.is_steady:
            store_walk(state, looked.walk)
        else:
            forget_walk(state)

    def report(self) -> None:
        """Tells the service of all that were found unchanged. Raises ``Problem``."""
        for family, settled in self._settled.items():
            report_settled(self._settings, family, settled)
            files = sum(len(one.walk.files) for one in settled)
            self._reporter.line(f"{family}: {files} files in {len(settled)} jobs have not changed")

    def _check_names(self, job: JobSettings, renamed: list[Renamed]) -> None:
        if not renamed:
            return
        names = "; ".join(f"{one.before} is {one.now} now" for one in renamed[:3])
        more = f", and {len(renamed) - 3} more" if len(renamed) > 3 else ""
        size = size_text(sum(one.bytes for one in renamed))
        text = f"{names}{more}: {size} of pictures that are stored already would be uploaded again"
        if not self._agree(f"{job.job}: {text}"):
            raise Problem(
                f"{text}; rename it back, or if it is meant: panicroom backup {job.job} --yes",
                ExitCode.RENAMED,
            )

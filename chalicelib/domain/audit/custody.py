"""How much may be expected of a job's bucket, by who made it."""

from __future__ import annotations

import dataclasses
from enum import Enum

from chalicelib.domain.backups.machines import Job


class Custody(str, Enum):
    """Who made a job's bucket: the service, somebody whose bucket was adopted, or somebody else."""

    OWN = "own"
    ADOPTED = "adopted"
    FOREIGN = "foreign"


@dataclasses.dataclass(frozen=True)
class WatchedJob:
    """A job as the audit sees it. Of a foreign bucket ``job`` is made up from the folder, and has no policy."""

    job: Job
    custody: Custody

    @property
    def label(self) -> str:
        """``machine/job``; of files at the root of a foreign bucket the bucket alone."""
        return f"{self.job.machine}/{self.job.name}".rstrip("/")

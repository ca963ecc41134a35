"""The stage that the doctor checks."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path

from ops.aws import Aws
from ops.service.admin_client import AdminClient
from ops.stages import Stage


@dataclasses.dataclass(frozen=True)
class Patient:
    """The stage that is checked."""

    aws: Aws
    stage: Stage
    project: Path
    now: datetime


def admin(aws: Aws, stage: Stage) -> AdminClient:
    """The owner's commands on a stage that is named by its settings."""
    return AdminClient(aws, stage.function("admin"))

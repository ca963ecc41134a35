"""Whether the catalogue lags behind, job by job, in whatever bucket a job is."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ops.aws import Aws
from ops.doctor import checks as doctor
from ops.service.admin_client import AdminClient
from ops.stages import LOCAL

STORED = {"archive_class": "STANDARD", "archive_after_days": 0}
JOBS = [
    {"machine": "anna", "job": "system", "bucket": LOCAL.bucket, "prefix": "anna/system/", **STORED},
    {"machine": "bert", "job": "photos", "bucket": "attic", "prefix": "", **STORED},
]


class Admin(AdminClient):
    """In the place of the ``admin`` function: bert's catalogue lags behind."""

    def __init__(self) -> None: ...

    def call(self, command: str, **job: Any) -> Any:
        if command == "job_list":
            return {"jobs": JOBS}
        assert command == "catalogue_differences"
        return {"keys": ["old/one", "old/two"] if job == {"name": "bert", "job": "photos"} else []}


def test_the_job_whose_catalogue_lags_behind_is_named_with_what_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "admin", lambda *_: Admin())
    patient = doctor.Patient(Aws(LOCAL.region), LOCAL, Path(), datetime.now(timezone.utc))
    [said] = doctor.CHECKS["Catalogue"](patient)
    assert said == (
        "2 of the manifests and signatures of bert/photos are not catalogued as they are stored, old/one first:"
        " `python -m ops reconcile --machine bert --job photos --stage local` repairs it"
    )

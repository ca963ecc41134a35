"""Starts the function that compares a job with its bucket, without waiting for it."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.domain.machines import Job


class ReconcileFunction:
    def __init__(self, client: Any, function_name: str) -> None:
        self._client = client
        self._function_name = function_name

    def begin(self, job: Job, *, after: str) -> None:
        request = {"machine": job.machine, "job": job.name, "after": after, "go_on": True}
        self._client.invoke(
            FunctionName=self._function_name, InvocationType="Event", Payload=json.dumps(request).encode()
        )

"""Calls the function that lets chains go."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.domain.backups.machines import Job
from chalicelib.owner_wire import RetentionRan
from chalicelib.wire import from_json

_EVENT = {"version": "0", "id": "", "detail-type": "asked", "source": "panicroom", "account": "", "time": ""}
"""As EventBridge sends it: the function runs by schedule besides."""


class LetGoFunction:
    """``client`` must wait as long as the function may run."""

    def __init__(self, client: Any, function_name: str) -> None:
        self._client = client
        self._function_name = function_name

    def run(self, job: Job) -> RetentionRan:
        """Raises ``RuntimeError`` if the function itself failed."""
        detail = {"machine": job.machine, "job": job.name}
        event = {**_EVENT, "region": "", "resources": [], "detail": detail}
        answer = self._client.invoke(FunctionName=self._function_name, Payload=json.dumps(event).encode())
        payload = json.load(answer["Payload"])
        if "FunctionError" in answer:
            raise RuntimeError(f"the function that lets chains go failed: {payload.get('errorMessage')}")
        return from_json(RetentionRan, payload)

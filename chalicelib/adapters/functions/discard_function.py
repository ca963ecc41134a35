"""Calls the function that may write delete markers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.domain.backups.machines import Job
from chalicelib.wire import DiscardAnswer, from_json


class DiscardFunction:
    def __init__(self, client: Any, function_name: str) -> None:
        self._client = client
        self._function_name = function_name

    def ask(self, job: Job, names: Sequence[str]) -> DiscardAnswer:
        """Raises ``RuntimeError`` if the function itself failed."""
        request = {"machine": job.machine, "job": job.name, "names": list(names)}
        answer = self._client.invoke(FunctionName=self._function_name, Payload=json.dumps(request).encode())
        payload = json.load(answer["Payload"])
        if "FunctionError" in answer:
            raise RuntimeError(f"the discard function failed: {payload.get('errorMessage')}")
        return from_json(DiscardAnswer, payload)

    def __call__(self, job: Job, names: Sequence[str]) -> tuple[str, ...]:
        """The names that were refused."""
        return tuple(refused.name for refused in self.ask(job, names).refused)

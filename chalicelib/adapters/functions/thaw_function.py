"""Calls the function that may ask S3 for archived volumes, without waiting for it."""

from __future__ import annotations

import json
from typing import Any


class ThawFunction:
    def __init__(self, client: Any, function_name: str) -> None:
        self._client = client
        self._function_name = function_name

    def __call__(self, machine: str, job: str, thaw: str) -> None:
        request = {"machine": machine, "job": job, "thaw": thaw}
        self._client.invoke(
            FunctionName=self._function_name,
            InvocationType="Event",
            Payload=json.dumps(request).encode(),
        )

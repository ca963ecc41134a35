"""Comes between any two calls of the service to AWS: ends it there, or does something else in that moment."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.hostile.memory_aws import MemoryDynamo, MemoryS3

OF_S3 = (
    *("delete_object", "delete_objects", "get_bucket_lifecycle_configuration", "get_bucket_versioning"),
    *("get_object_lock_configuration", "get_object_retention", "get_object_tagging", "head_object"),
    *("list_object_versions", "put_object_retention", "put_object_tagging"),
)
OF_DYNAMO = (
    *(
        "batch_get_item",
        "delete_item",
        "get_item",
        "put_item",
        "query",
        "transact_write_items",
        "update_item",
    ),
)


def nothing() -> None:
    pass


class Killed(BaseException):
    """As Lambda ends a function: nothing of it runs any more."""


class Calls:
    """Counts what the service asks AWS for. Each key of a DeleteObjects counts by itself: S3 may have done half."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.number = 0
        self.names: list[str] = []
        self._on, self._depth = False, 0
        self._after: int | str = 0
        self._act: Callable[[], object] = nothing
        for kind, names in ((MemoryS3, OF_S3), (MemoryDynamo, OF_DYNAMO)):
            for name in names:
                patch.setattr(kind, name, self._counted(name, getattr(kind, name), kind is MemoryDynamo))

    @contextmanager
    def counted(self, after: int | str = 0, act: Callable[[], object] = nothing) -> Iterator[None]:
        """Counts inside, and acts once, right after the call of that number, or the first of that name."""
        self.number, self.names, self._on, self._after, self._act = 0, [], True, after, act
        try:
            yield
        finally:
            self._on = False

    def _counted(self, name: str, method: Callable[..., Any], is_one: bool) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*arguments: Any, **named: Any) -> Any:
            if not self._on or (is_one and self._depth):
                return method(*arguments, **named)
            self._depth += is_one
            try:
                return method(*arguments, **named)
            finally:
                self._depth -= is_one
                self._count(name)

        return call

    def _count(self, name: str) -> None:
        self.number += 1
        self.names.append(name)
        if self._after in (self.number, name):
            self._after, self._on = 0, False
            self._act()
            self._on = True


def kill() -> None:
    raise Killed

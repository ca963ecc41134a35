"""The table's rows of the job in ``bucket``, made while they are read: only its sets are kept.

It answers in the place of boto3's DynamoDB client, as far as reconciling asks.
"""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bench.generated.bucket import BUCKET, ETAG, PREFIX, SIZE_BYTES, STORED_AT, Names
from chalicelib.adapters.stores import catalogue_rows
from chalicelib.adapters.table import Item
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.objects import ObjectRow, StoredObject
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally

JOB = Job("anna", "system", Location(BUCKET, PREFIX))
ROWS_A_PAGE = 3000
"""About a megabyte."""


class GeneratedTable:
    """Knows the whole bucket (``filled``), or nothing of it yet.

    The object rows that are written are those that the bucket generates, so it keeps only how many they are.
    """

    def __init__(self, names: Names, *, filled: bool) -> None:
        self._names = names
        self._filled = filled
        self._sets: dict[str, Item] = {}
        self.objects_written = 0
        self.calls: Counter[str] = Counter()
        if filled:
            for number in range(names.sets):
                item = catalogue_rows.set_item(JOB, self._complete_set(number), 1)
                self._sets[item["sk"]] = item

    def _complete_set(self, number: int) -> BackupSet:
        volumes = self._names.volumes_of_a_set
        return BackupSet(
            SetId.parse(f"full.{self._names.set_time(number)}"),
            volumes=frozenset(range(1, volumes + 1)),
            volumes_promised=volumes,
            has_signatures=True,
            sealed_at=STORED_AT,
            current={"STANDARD": Tally(volumes + 2, (volumes + 2) * SIZE_BYTES)},
            changed_at=STORED_AT,
        )

    # ------------------------------------------------------------ calls

    def query(self, *, ExpressionAttributeValues: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        self.calls["query"] += 1
        values = ExpressionAttributeValues
        if values[":pk"] == catalogue_rows.objects_partition(JOB):
            return self._objects(values, arguments.get("ExclusiveStartKey"))
        if values[":pk"] == catalogue_rows.job_partition(JOB) and values.get(":sk") == "SET#":
            return {"Items": list(self._sets.values())}
        return {"Items": []}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        self.calls["batch_get_item"] += 1
        [(table, request)] = RequestItems.items()
        found = [self._sets[key["sk"]] for key in request["Keys"] if key["sk"] in self._sets]
        return {"Responses": {table: found}}

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> None:
        self.calls["transact_write_items"] += 1
        for action in TransactItems:
            item = action["Put"]["Item"]
            if item["sk"].startswith("SET#"):
                self._sets[item["sk"]] = item
            else:
                self.objects_written += 1

    def put_item(self, **_: Any) -> None:
        self.calls["put_item"] += 1

    # ------------------------------------------------------------ object rows

    def _objects(self, values: dict[str, Any], page_after: dict[str, Any] | None) -> dict[str, Any]:
        """A page of the rows asked for. Before the bucket is read to its end, an empty table has none of them."""
        if not self._filled and ":first" in values:
            return {"Items": []}
        assert self._filled or self.objects_written == len(self._names), self.objects_written
        first, last = values.get(":first", ""), values.get(":last", "\U0010ffff")
        start = bisect.bisect_left(self._names, first)
        if page_after:
            start = bisect.bisect_right(self._names, page_after["sk"])
        names = itertools.takewhile(lambda name: name <= last, self._names_from(start))
        items = [_object_item(name, self._names) for name in itertools.islice(names, ROWS_A_PAGE)]
        more = len(items) == ROWS_A_PAGE
        return {"Items": items, **({"LastEvaluatedKey": {"sk": items[-1]["sk"]}} if more else {})}

    def _names_from(self, start: int) -> Iterator[str]:
        return (self._names[index] for index in range(start, len(self._names)))


def _object_item(name: str, names: Names) -> Item:
    promised = names.volumes_of_a_set if "manifest" in name else None
    stored = StoredObject(SIZE_BYTES, ETAG, "STANDARD", STORED_AT, "v1", volumes_promised=promised)
    return {
        **catalogue_rows.object_item(catalogue_rows.objects_partition(JOB), ObjectRow(name, stored)),
        "revision": 1,
    }

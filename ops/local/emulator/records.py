"""Objects as MiniStack keeps them: in its S3's own dictionaries, by the account of the request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from ministack.services import s3

Record = dict[str, Any]
"""An object; ``restore`` in it is its restore, if there is one."""

Response = tuple[int, dict[str, str], bytes]


def record_of(bucket: str, key: str) -> Record | None:
    found: Record | None = (s3._buckets.get(bucket) or {"objects": {}})["objects"].get(key)
    return found


def records_below(prefix: str) -> Iterator[tuple[str, str, Record]]:
    """All objects whose keys begin so, with bucket and key, each as in a request of its account."""
    for (account, bucket), content in list(s3._buckets._data.items()):
        s3.set_request_account_id(account)
        for key, record in list(content["objects"].items()):
            if key.startswith(prefix):
                yield bucket, key, record


def versions_of(bucket: str, key: str) -> list[Record]:
    """The current one among them; none in a bucket without versions."""
    return list(s3._object_versions.get((bucket, key), []))


def is_under_way(record: Record) -> bool:
    return "restore" in record and bool(time.time() < record["restore"]["available_at"])


def is_out_of_reach(copy_source: str) -> bool:
    """Whether what a COPY names is archived and not restored."""
    bucket, _, key = unquote(copy_source.partition("?")[0]).lstrip("/").partition("/")
    record = record_of(bucket, key)
    if record is None or record.get("storage_class") not in s3._ARCHIVE_STORAGE_CLASSES:
        return False
    return bool(s3._sync_restore(bucket, key, record) != "restored")

"""What was deleted of a set is brought back, against moto's S3."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from click.testing import CliRunner

from chalicelib.domain.backups.names import Location, SetId, manifest_file, signatures_file, volume_file
from ops.buckets.bring_back import bring_back
from ops.cli import commands

SET = SetId(None, datetime(2026, 11, 1, 4, tzinfo=timezone.utc))
OTHER = SetId(SET.end, datetime(2026, 11, 2, 4, tzinfo=timezone.utc))
PLACE = Location("attic", "laptop/")


def listed(s3: Any) -> set[str]:
    return {item["Key"] for item in s3.list_objects_v2(Bucket="attic").get("Contents", [])}


def test_what_was_deleted_of_a_set_is_there_again_and_nothing_else(s3: Any) -> None:
    files = [volume_file(SET, 1), volume_file(SET, 12), manifest_file(SET), signatures_file(SET)]
    keys = [PLACE.key(file.name) for file in (*files, manifest_file(OTHER))]
    for key in keys:
        s3.put_object(Bucket="attic", Key=key, Body=key.encode())
    for key in keys[1:]:
        s3.delete_object(Bucket="attic", Key=key)
    assert bring_back(s3, PLACE, SET) == sorted(file.name for file in files[1:])
    assert listed(s3) == set(keys[:-1])
    assert bring_back(s3, PLACE, SET) == []


def test_a_name_that_is_no_set_is_refused_in_one_line() -> None:
    result = CliRunner().invoke(commands, ["set", "bring-back", "laptop", "system", "yesterday"])
    assert result.exit_code != 0
    assert "'yesterday' names no set" in str(result.exception) + result.output

"""Something takes a volume away, and the laptop says nothing: the service sees it by itself."""

from __future__ import annotations

import random
import re
import time
from typing import Any

from chalicelib.domain.backups.names import parse_file_name
from tests.end_to_end.conftest import Service

MB = 2**20


def test_the_missing_volume_is_named_within_a_minute(service: Service) -> None:
    """duplicity itself would not notice: the newest increment lacks a volume, and the next one is made on top."""
    machine = service.machine("robbed-laptop")
    content = random.Random(11)
    (machine.source / "first.raw").write_bytes(content.randbytes(MB))
    machine.do("backup")
    time.sleep(1.1)  # duplicity compares times in whole seconds
    (machine.source / "second.raw").write_bytes(content.randbytes(4 * MB))
    machine.do("backup")
    increment = service.wait_for_sets(machine.name, 2)[-1]
    assert increment["volumes_expected"] >= 3

    key, version = _stored_volume(service, machine.name, number=2)
    service.s3.delete_object(Bucket=service.stack.bucket, Key=key, VersionId=version)

    def named() -> list[str]:
        text = " ".join(service.admin.call("report_preview")["text"].split())
        return re.findall(rf"The set {re.escape(increment['set'])} of [^.]* lacks volume [^.]*\.", text)

    [said] = service.wait(named, bool, seconds=60)
    assert said.endswith("is finished, but lacks volume 2.")
    assert [one["gaps"] for one in service.sets(machine.name) if one["set"] == increment["set"]] == ["2"]


def _stored_volume(service: Service, machine: str, number: int) -> tuple[str, Any]:
    """Key and version of a volume of the machine's increment."""
    for key in service.keys(f"{machine}/"):
        file = parse_file_name(key.rpartition("/")[2])
        if file is not None and file.volume == number and not file.set_id.is_full:
            head = service.s3.head_object(Bucket=service.stack.bucket, Key=key)
            return key, head["VersionId"]
    raise AssertionError(f"no volume {number}")

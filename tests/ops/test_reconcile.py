"""The catalogue against the bucket, by the owner's command."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ops.errors import OpsError
from tests.ops.conftest import Owner

VOLUME = "data_duplicity-full.20261101T000000Z.vol1.difftar.gpg"


@pytest.fixture(scope="module")
def shelf(owner: Owner) -> str:
    """A machine with one volume that the catalogue knows."""
    owner.types("machine", "add", "shelf", "--job", "system", "--job", "photos")
    owner.client("s3").put_object(Bucket=owner.stack.bucket, Key=f"shelf/system/{VOLUME}", Body=b"volume")
    give_up_at = time.monotonic() + 60
    while not owner.asks("machine", "show", "shelf")["jobs"][1]["sets"]:
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
    return "shelf"


def forget(owner: Owner, key: str) -> None:
    """Has the catalogue forget an object, as if its event had been lost."""
    machine, job, name = key.split("/")
    row = {"pk": {"S": f"OBJECTS#{machine}/{job}"}, "sk": {"S": name}}
    owner.client("dynamodb").delete_item(TableName=owner.stack.table, Key=row)


def differences(owner: Owner, *words: str) -> list[dict[str, Any]]:
    return list(owner.asks("reconcile", *words)["differences"])


def test_where_all_is_well_there_is_no_difference(owner: Owner, shelf: str) -> None:
    assert owner.asks("reconcile", "--machine", shelf) == {"examined": 1, "differences": []}
    assert "1 keys examined, no difference." in owner.types("reconcile", "--machine", shelf).stdout


def test_what_the_catalogue_missed_is_named_and_mended(owner: Owner, shelf: str) -> None:
    forget(owner, f"{shelf}/system/{VOLUME}")
    found = differences(owner, "--machine", shelf)
    found = [one for one in found if one["what"] == "unknown"]
    assert [(one["machine"], one["job"], one["key"]) for one in found] == [
        (shelf, "system", f"{shelf}/system/{VOLUME}")
    ]
    assert differences(owner, "--machine", shelf) == []


def test_people_get_a_line_a_difference(owner: Owner, shelf: str) -> None:
    forget(owner, f"{shelf}/system/{VOLUME}")
    said = owner.types("reconcile", "--machine", shelf, "--job", "system").stdout
    assert f"  unknown  {shelf}/system/{VOLUME}" in said
    assert "repaired." in said


def test_one_job_can_be_asked_for(owner: Owner, shelf: str) -> None:
    assert owner.asks("reconcile", "--machine", shelf, "--job", "photos")["examined"] == 0
    assert owner.asks("reconcile", "--job", "system", "--machine", shelf)["examined"] == 1


@pytest.mark.parametrize("words", [["--machine", "nobody"], ["--machine", "shelf", "--job", "nothing"]])
def test_a_name_of_nobody_is_reported(owner: Owner, shelf: str, words: list[str]) -> None:
    error = owner.types("reconcile", *words).exception
    assert isinstance(error, OpsError)
    assert "There is nothing called" in str(error)


def test_the_weekly_one_has_every_job_reconciled(owner: Owner, shelf: str) -> None:
    """It is called as its schedule calls it; test_chalice_deploy.py looks at the schedule."""
    forget(owner, f"{shelf}/system/{VOLUME}")
    job = {"pk": {"S": "JOBS"}, "sk": {"S": f"{shelf}/system"}}
    owner.client("dynamodb").update_item(  # its schedule may have called it before this test does
        TableName=owner.stack.table, Key=job, UpdateExpression="REMOVE reconcile"
    )
    texts = dict.fromkeys(["version", "account", "region", "detail-type", "source", "time", "id"], "")
    answer = owner.client("lambda").invoke(
        FunctionName=owner.stack.functions["weekly_reconcile"],
        Payload=json.dumps({**texts, "detail": {}, "resources": []}),
    )
    assert "FunctionError" not in answer
    row = {"pk": {"S": f"OBJECTS#{shelf}/system"}, "sk": {"S": VOLUME}}
    assert "Item" in owner.client("dynamodb").get_item(TableName=owner.stack.table, Key=row)

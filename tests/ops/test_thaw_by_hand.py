"""The lines of docs/restore.md that thaw a job without the service, typed with AWS's own command line.

They are those of the recovery sheet, which tests/end_to_end/test_plain_way.py types to the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from panicroom.recovery import plain_way
from panicroom.recovery.plain_way import StoredJob

from ops.functions.package import PROJECT
from tests.ops.conftest import Owner
from tools.docs.markdown import Document

ENOUGH_SECONDS = 60
FOLDER = "anna-laptop/system"
PAGE = Path("docs/restore.md")
THE_SHEETS = StoredJob("system", "BUCKET", f"{FOLDER}/", "REGION")
ASK, LOOK = (
    block.text
    for block in Document(PAGE, (PROJECT / PAGE).read_text(encoding="utf-8")).blocks
    if "test_thaw_by_hand" in block.tested_by
)


def aws_works() -> bool:
    """Whether AWS's command line is installed; the name alone may be a stand-in that starts nothing."""
    found = shutil.which("aws")
    return (
        found is not None
        and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0
    )


def lines_of(page: str, test: str) -> list[str]:
    """What is typed on a page of docs/ and run by a test."""
    path = Path("docs", page)
    document = Document(path, (PROJECT / path).read_text(encoding="utf-8"))
    return [
        line
        for block in document.blocks
        if test in block.tested_by
        for line in block.text.strip().split("\n")
    ]


def test_the_pages_say_the_same_as_the_recovery_sheet() -> None:
    names = plain_way.names(THE_SHEETS)
    by_hand = [*names, *plain_way.ask_for_copies(), *plain_way.what_is_cold()]
    assert lines_of("restore.md", "test_thaw_by_hand") == by_hand
    copied = [*names, *plain_way.copy_down(THE_SHEETS), *plain_way.restore(THE_SHEETS)]
    assert lines_of("leaving.md", "test_plain_way") == copied


@pytest.mark.skipif(not aws_works(), reason="AWS's command line is not installed")
def test_the_lines_thaw_all_archived_volumes_and_say_when_they_are_done(owner: Owner, tmp_path: Path) -> None:
    s3, bucket = owner.client("s3"), owner.stack.bucket
    classes = {"vol1": "DEEP_ARCHIVE", "vol2": "GLACIER", "vol3": "STANDARD"}
    keys = {part: f"{FOLDER}/data_duplicity-full.20261101T000000Z.{part}.difftar.gpg" for part in classes}
    for part, key in keys.items():
        s3.put_object(Bucket=bucket, Key=key, Body=b"volume", StorageClass=classes[part])
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": owner.stack.endpoint,
        "AWS_DEFAULT_REGION": owner.stack.region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }

    def typed(lines: str) -> str:
        text = lines.replace("BUCKET", bucket).replace("REGION=REGION", f"REGION={owner.stack.region}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=ENOUGH_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    typed(ASK)
    assert (tmp_path / "asked").read_text().split() == [keys["vol1"], keys["vol2"]]
    give_up_at = time.monotonic() + ENOUGH_SECONDS
    the_same_shell = ASK.partition("cold RestoreStatus >")[0]
    while typed(the_same_shell + LOOK).strip():
        assert time.monotonic() < give_up_at
        time.sleep(0.5)
    for part in ("vol1", "vol2"):
        assert s3.get_object(Bucket=bucket, Key=keys[part])["Body"].read() == b"volume"

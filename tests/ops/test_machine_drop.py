"""``machine drop`` as the owner types it, with a running service."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from chalicelib.domain.backups.names import SetId, manifest_file, signatures_file, volume_file
from ops.cli import commands
from ops.commands.machines import drop
from ops.errors import OpsError
from tests.ops.conftest import Owner

NAME, SET = "scrapped", SetId.parse("full.20240101T040000Z")


@pytest.fixture
def scrapped(owner: Owner) -> Owner:
    """A machine with a backup, and a neighbour whose name begins alike."""
    s3, bucket = owner.client("s3"), owner.stack.bucket
    for machine in (NAME, f"{NAME}-2"):
        owner.asks("machine", "add", machine)
        for name in (volume_file(SET, 1).name, signatures_file(SET).name, manifest_file(SET).name):
            metadata = {"volumes": "1"} if "manifest" in name else {}
            s3.put_object(Bucket=bucket, Key=f"{machine}/system/{name}", Body=b"x" * 900, Metadata=metadata)
        s3.delete_object(Bucket=bucket, Key=f"{machine}/system/{volume_file(SET, 1).name}")
        assert owner.types("reconcile", "--machine", machine).exit_code == 0
    return owner


def keys(owner: Owner, machine: str) -> int:
    answer = owner.client("s3").list_object_versions(Bucket=owner.stack.bucket, Prefix=f"{machine}/")
    return len(answer.get("Versions", [])) + len(answer.get("DeleteMarkers", []))


def test_it_shows_what_goes_asks_for_the_name_and_removes_it(
    scrapped: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(scrapped, NAME), keys(scrapped, f"{NAME}-2")
    shown = scrapped.types("machine", "drop", NAME, "--plan").stdout
    assert "remove scrapped and all that it stored for good: 1 job, 1 set, 3 files in 3 versions" in shown
    assert "AWS's fee for deleting it before its minimum stay" in shown
    assert "There is no way back." in shown
    planned = scrapped.asks("machine", "drop", NAME, "--plan")
    assert (planned["versions"], planned["bytes"], planned["locked"]) == (3, 2700, 0)

    words = ["machine", "drop", NAME, "--state", str(scrapped.state_folder)]
    mistyped = CliRunner().invoke(commands, words, input="scrapped-2\n")
    assert isinstance(mistyped.exception, OpsError)
    assert "Nothing is removed" in str(mistyped.exception)
    assert (keys(scrapped, NAME), keys(scrapped, f"{NAME}-2")) == before

    for nobody in ("", None):
        silent = CliRunner().invoke(commands, words, input=nobody)
        assert "no name was typed. In a script --confirm NAME stands for it." in str(silent.exception)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(drop, "remove_machine_files", interrupt)
        interrupted = CliRunner().invoke(commands, words, input="scrapped\n")
    assert "Interrupted: some of what scrapped stored may be gone" in str(interrupted.exception)
    status = scrapped.types("status", "--all").stdout
    assert [line.split()[1] for line in status.splitlines() if line.startswith("scrapped ")] == ["dropping"]
    dropped = CliRunner().invoke(commands, words, input="scrapped\n")
    assert dropped.exit_code == 0, dropped.output or dropped.exception
    assert "scrapped is gone." in dropped.stdout
    assert (keys(scrapped, NAME), keys(scrapped, f"{NAME}-2")) == (0, before[1])
    there = [row["machine"] for row in scrapped.asks("machine", "list")["machines"]]
    assert (NAME in there, f"{NAME}-2" in there) == (False, True)
    again = scrapped.types("machine", "drop", NAME, "--confirm", NAME).exception
    assert "There is no machine called scrapped" in str(again)

    scrapped.types("machine", "remove", f"{NAME}-2", "--yes")
    removed = str(scrapped.types("machine", "drop", f"{NAME}-2", "--confirm", f"{NAME}-2").exception)
    assert "no machine called scrapped-2 any more, but files below scrapped-2/" in removed
    assert "`python -m ops machine add scrapped-2`" in removed
    scrapped.asks("machine", "add", f"{NAME}-2")
    ended = scrapped.asks("machine", "drop", f"{NAME}-2", "--confirm", f"{NAME}-2")
    assert (ended["ended"], ended["removed"], ended["held"]) == (True, 3, 0)

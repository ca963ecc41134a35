"""Whoever has only the reader's policy: each command that looks works, each that changes something is refused.

The commands come from the command line itself, so that a new one without a place here fails.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from chalicelib.domain.backups.names import SetId, manifest_file, signatures_file, volume_file
from ops.aws import Aws
from ops.cli import commands
from ops.deploy.reader_policy import reader_policy
from ops.errors import OpsError
from ops.functions.package import PROJECT
from ops.service import admin_client, deployed_stage
from ops.stages import LOCAL
from tests.ops.conftest import HOME, Owner
from tests.ops.test_retention_commands import _lets_go
from tests.ops.test_thaw_commands import Laptop

LET_GO, CHAIN = "full.20240101T040000Z", "full.20240601T040000Z"
GROUP = "looked-at-group"
MACHINE, JOB = "looked-at", ("looked-at", "system")

LOOKS: Mapping[str, tuple[str, ...]] = {
    "status": (),
    "machine list": (),
    "machine show": (MACHINE,),
    "group list": (),
    "group show": (GROUP,),
    "retention preview": (),
    "thaw list": (),
    "report preview": (),
    "report status": (),
    "journal": (),
    "alerts preview": (),
    "page": ("--to", os.devnull),
}
"""Each command that a reader may type, with its arguments."""

VERDICTS = (0, 1, 2)
"""How ``status`` ends where it could be asked for."""

CHANGES: Mapping[str, tuple[str, ...]] = {
    "machine add": ("another",),
    "machine set": (MACHINE, "--every", "2d"),
    "machine rotate": (MACHINE,),
    "machine recount": (MACHINE,),
    "machine pause": (MACHINE,),
    "machine resume": (MACHINE,),
    "machine recovery": (MACHINE,),
    "machine revoke": (MACHINE,),
    "machine remove": (MACHINE, "--yes"),
    "machine drop": (MACHINE, "--confirm", MACHINE),
    "group add": ("another",),
    "group set": (GROUP, "--every", "2d"),
    "group remove": (GROUP,),
    "set quarantine": (*JOB, CHAIN),
    "set bring-back": (*JOB, CHAIN),
    "retention undo": (*JOB, LET_GO),
    "retention drop": (*JOB, CHAIN, "--confirm", CHAIN),
    "retention approve": (*JOB, "--yes"),
    "retention hold": (*JOB, CHAIN),
    "retention run": JOB,
    "thaw approve": ("THAW", "--yes"),
    "thaw deny": ("THAW",),
    "report send": (),
    "alerts send": (),
    "reconcile": (),
    "audit": (),
    "dead-letters list": (),
    "dead-letters replay": (),
}
"""Each command that is refused. ``audit`` records what it finds, and ``dead-letters list`` hides events for a while."""

OF_WHOEVER_DEPLOYS = ("deploy", "destroy", "doctor")
"""They need the deployer's policy."""

ELSEWHERE = ("local", "demo", "prices refresh", "recovery-sheets")
"""About no stage; or, as the owner's own page, with the address of the API, which is asked of AWS."""


def every_command(command: click.Command = commands, words: tuple[str, ...] = ()) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            yield from every_command(part, (*words, name))
    else:
        yield " ".join(words)


def test_each_command_has_its_place() -> None:
    known = {*LOOKS, *CHANGES, *OF_WHOEVER_DEPLOYS}
    found = {
        one for one in every_command() if not f"{one} ".startswith(tuple(f"{one} " for one in ELSEWHERE))
    }
    assert found == known


@dataclasses.dataclass(frozen=True)
class Reader:
    """Types commands with the reader's credentials; ``owner`` looks at what came of it."""

    owner: Owner
    thaw: str

    def types(self, command: str, *arguments: str) -> Result:
        given = [self.thaw if one == "THAW" else one for one in arguments]
        return CliRunner().invoke(
            commands, [*command.split(), *given, "--state", str(self.owner.state_folder), "--json"]
        )

    def everything(self) -> object:
        """All rows, and every version in the bucket."""
        rows = self.owner.client("dynamodb").scan(TableName=self.owner.stack.table)["Items"]
        stored = self.owner.client("s3").list_object_versions(Bucket=self.owner.stack.bucket)
        return sorted(map(repr, rows)), [
            (kind, one["Key"], one["VersionId"])
            for kind in ("Versions", "DeleteMarkers")
            for one in stored.get(kind, [])
        ]


@pytest.fixture(scope="module")
def stored(owner: Owner) -> str:
    """A machine with a chain, one that was let go, and another's thaw that waits: its id."""
    owner.asks("group", "add", GROUP)
    owner.asks("machine", "add", MACHINE, "--group", GROUP)
    _lets_go(owner, SetId.parse(LET_GO), _store(owner, SetId.parse(LET_GO)), MACHINE)
    _store(owner, SetId.parse(CHAIN))
    thaw = Laptop(owner, "readers-photos").asks_for_a_thaw()
    _wait_for_events(owner)
    return thaw


def _store(owner: Owner, set_id: SetId) -> list[str]:
    files = [volume_file(set_id, 1).name, signatures_file(set_id).name, manifest_file(set_id).name]
    for name in files:
        metadata = {"volumes": "1"} if "manifest" in name else {}
        tags = "" if name.startswith("meta_") else "panicroom-storage=glacier-ir-7d"
        place = {"Bucket": owner.stack.bucket, "Key": f"{MACHINE}/system/{name}"}
        owner.client("s3").put_object(**place, Body=b"x" * 900, Metadata=metadata, Tagging=tags)
    assert owner.types("reconcile", "--machine", MACHINE).exit_code == 0
    return [f"{MACHINE}/system/{name}" for name in files]


def _wait_for_events(owner: Owner) -> None:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    for _ in range(600):
        answer = owner.client("sqs").get_queue_attributes(QueueUrl=owner.stack.queue, AttributeNames=names)
        if not any(int(number) for number in answer["Attributes"].values()):
            return
        time.sleep(0.1)
    raise AssertionError("the catalogue did not take its events")


@pytest.fixture(scope="module")
def keys(owner: Owner) -> Mapping[str, str]:
    """Those of somebody who has the reader's policy and no other."""
    iam = owner.client("iam")
    iam.create_user(UserName="reader")
    document = json.dumps(reader_policy(LOCAL))
    iam.put_user_policy(UserName="reader", PolicyName="looking", PolicyDocument=document)
    made = iam.create_access_key(UserName="reader")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}


@pytest.fixture
def reader(owner: Owner, stored: str, keys: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Reader:
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    for module in (admin_client, deployed_stage):
        monkeypatch.setattr(module, "Aws", functools.partial(Aws, own_keys=True))
    return Reader(owner, stored)


def test_the_policy_that_the_document_shows_is_the_one_that_is_printed() -> None:
    blocks = (PROJECT / "docs" / "fleet.md").read_text(encoding="utf-8").split("```json\n")[1:]
    [shown] = [json.loads(block.partition("```")[0]) for block in blocks if "admin_read" in block]
    assert shown == reader_policy(dataclasses.replace(HOME, account="111122223333"))


@pytest.mark.parametrize("command", LOOKS)
def test_who_may_look_can(reader: Reader, command: str) -> None:
    before = reader.everything()
    looked = reader.types(command, *LOOKS[command])
    assert looked.exit_code in VERDICTS if command == "status" else looked.exit_code == 0, looked.output
    assert json.loads(looked.stdout)
    assert reader.everything() == before


@pytest.mark.parametrize("command", CHANGES)
def test_who_may_look_changes_nothing_and_hears_whom_to_ask(reader: Reader, command: str) -> None:
    before = reader.everything()
    said = refusal_of(reader.types(command, *CHANGES[command]))
    assert "These AWS credentials may not do that." in said
    assert "ask the stage's owner to type this command" in said
    assert reader.everything() == before


@pytest.mark.parametrize("command", OF_WHOEVER_DEPLOYS)
def test_what_deploying_needs_is_refused_as_well(reader: Reader, command: str) -> None:
    where = ("--stage", HOME.name, "--endpoint", reader.owner.stack.endpoint, "--region", LOCAL.region)
    said = refusal_of(CliRunner().invoke(commands, [command, *where]))
    assert "user/reader may not do what deploying needs" in said
    assert "--policy` prints the policy to give it" in said


def refusal_of(result: Result) -> str:
    assert isinstance(result.exception, OpsError), result.output or result.exception
    return str(result.exception)


def test_a_reader_may_call_one_function_and_nothing_else(reader: Reader) -> None:
    functions = Aws(LOCAL.region, reader.owner.stack.endpoint, own_keys=True).client("lambda")
    allowed: list[Any] = []
    for short_name, name in reader.owner.stack.functions.items():
        try:
            functions.invoke(FunctionName=name, InvocationType="DryRun")
        except functions.exceptions.ClientError:
            continue
        allowed.append(short_name)
    assert allowed == ["admin_read"]

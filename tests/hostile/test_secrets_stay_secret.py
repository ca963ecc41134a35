"""What must stay secret is in no log, no row, no mail, no stored file and no process's arguments.

A machine enrols, backs up and is reported on; then things go wrong in ways that tempt a service to write down what
it was sent. Everything that anybody could read afterwards is searched.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from chalicelib.domain.backups.machines import sha256_hex
from ops.service.signed_caller import signed_caller
from tests.end_to_end.conftest import Machine
from tests.hostile.conftest import Deployed

NAME = "carla-laptop"
READERS_SECRET = "4d3c2b1a" * 8
PLANTED = "planted-3f9a61d2c4"


@dataclass
class Secrets:
    """``by_name``: what to look for. ``arguments``: the command lines of every process that a backup started."""

    by_name: dict[str, str]
    machine: Machine
    said: str
    arguments: str


@pytest.fixture(scope="module")
def signatures() -> Iterator[list[str]]:
    """Of the queries that the owner's commands hand over, with which the service asks STS who calls."""
    made: list[str] = []

    def signed(*about: Any) -> str:
        query = signed_caller(*about)
        made.append(parse_qs(query)["X-Amz-Signature"][0])
        return query

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ops.service.admin_client.signed_caller", signed)
        yield made


@pytest.fixture(scope="module")
def secrets(deployed: Deployed, signatures: list[str]) -> Secrets:
    laptops = deployed.laptops
    passphrase = "a passphrase of carla's own 7051"
    machine = Machine(NAME, laptops.laptops / NAME, laptops.gpg, passphrase=passphrase)
    machine.source.mkdir(parents=True)
    (machine.source / "diary.txt").write_text("Today nothing happened.\n")
    added = deployed.admin.call("machine_add", name=NAME)
    code, recovery_code = added["code"], added["recovery_code"]
    enrolled = machine.do("enrol", deployed.stack.api_url, code, "--source", str(machine.source), "--yes")
    secret = json.loads((machine.folder / "config" / "secrets.json").read_text())[f"{NAME}.secret"]
    arguments = arguments_of_a_backup(machine)
    laptops.wait_for_sets(NAME, 1)
    said = enrolled.said + machine.do("status").said
    provoke(deployed, code, secret)
    provoke_by_paper(deployed, recovery_code)
    deployed.admin.call("report_send")
    entries = deployed.admin.call("journal", name=NAME)["entries"]
    assert [one["what"] for one in entries] == ["machine_add", "enrolment", "recovery"]
    assert len(signatures) >= 3
    by_name = {
        "secret": secret,
        "code": code,
        "code as typed": code.replace("-", ""),
        "recovery code": recovery_code,
        "recovery code as typed": recovery_code.replace("-", ""),
        "reader's secret": READERS_SECRET,
        "passphrase": passphrase,
        **{f"signature {number}": signature for number, signature in enumerate(signatures)},
    }
    return Secrets(by_name, machine, said, arguments)


def arguments_of_a_backup(machine: Machine) -> str:
    """Whoever is logged in can read them while it runs."""
    process = machine.start("backup", "full")
    seen: set[str] = set()
    while process.poll() is None:
        seen.update(command_lines())
        time.sleep(0.01)
    output, error = process.communicate()
    assert process.returncode == 0, error
    return "\n".join([*seen, output, error])


def command_lines() -> Iterator[str]:
    """Of everything that runs on this computer."""
    if not Path("/proc/self/cmdline").exists():  # macOS
        yield from subprocess.run(
            ["ps", "-axwwo", "command"], capture_output=True, text=True
        ).stdout.splitlines()
        return
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended


def provoke(deployed: Deployed, code: str, secret: str) -> None:
    """Requests that go wrong, and carry secrets in every place where a request can."""
    token = f"{NAME}.{secret}"
    enrolment = {"code": code, "secret_sha256": "0" * 64}
    assert deployed.call("POST", "/enrolments", body=enrolment).json()["error"] == "code_used"
    raw = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    url = deployed.stack.api_url
    for path, body in [
        ("/enrolments", f'{{"code": "{code}", "secret_sha256": "{secret}"'),
        ("/enrolments", json.dumps({"code": {code: secret}})),
        ("/jobs/system/runs", json.dumps({"kind": token, "clock": secret, "resumes": code})),
        (
            "/jobs/system/uploads",
            json.dumps({"run": token, "files": [{"name": code, "size": 1, "sha256": secret}]}),
        ),
        ("/jobs/system/downloads", json.dumps({"names": [token, code]})),
        ("/jobs/system/discards", json.dumps({"run": secret, "names": [code]})),
        ("/jobs/system/discards", json.dumps([token])),
    ]:
        httpx.post(url + path, headers=raw, content=body)
    run = {"kind": "full", "clock": deployed.call("GET", "/machine", f"Bearer {token}").json()["server_time"]}
    started = deployed.call("POST", "/jobs/system/runs", f"Bearer {token}", run).json()["run"]
    # A number that no row can hold: what fails in the service itself is logged with its traceback.
    body = json.dumps({"exit_code": 10**40, "message": "x"})
    httpx.patch(f"{url}/jobs/system/runs/{started}", headers=raw, content=body)
    httpx.get(f"{url}/jobs/system/files?after={code}", headers={"Authorization": f"Bearer {token}"})


def provoke_by_paper(deployed: Deployed, recovery_code: str) -> None:
    """A recovery code that is right, wrong, misused, and the token that it becomes."""
    right = {"machine": NAME, "code": recovery_code, "secret_sha256": sha256_hex(READERS_SECRET)}
    assert deployed.call("POST", "/recoveries", body=right).status_code == 201
    for body in (
        {**right, "machine": "nobodys-laptop"},
        {**right, "secret_sha256": READERS_SECRET + recovery_code},
        {**right, "code": recovery_code + recovery_code},
        {**right, "code": {recovery_code: READERS_SECRET}},
    ):
        assert deployed.call("POST", "/recoveries", body=body).status_code in (400, 403)
    reader = f"Bearer {NAME}.{READERS_SECRET}"
    run = {"kind": recovery_code, "clock": READERS_SECRET}
    assert deployed.call("GET", "/machine", reader).json()["reader_until"]
    assert deployed.call("POST", "/jobs/system/runs", reader, run).json()["error"] == "read_only"
    deployed.admin.call("alerts_send")


def places(deployed: Deployed, machine: Machine) -> dict[str, str]:
    """Everything that outlives a run, by where it is; but for the laptop's own store of secrets."""
    logs = deployed.client("logs")
    pages = logs.get_paginator("filter_log_events")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    events = {
        group: "\n".join(
            event["message"] for page in pages.paginate(logGroupName=group) for event in page["events"]
        )
        for group in groups
    }
    s3, bucket = deployed.client("s3"), deployed.stack.bucket
    objects = [
        (item["Key"], s3.get_object(Bucket=bucket, Key=item["Key"]))
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for item in page.get("Contents", [])
    ]
    return {
        **events,
        "the stack's log": (deployed.state_folder / "ministack.log").read_text(errors="replace"),
        "rows": json.dumps(deployed.rows(), ensure_ascii=False, default=unpacked),
        "mails": json.dumps(deployed.mails(), ensure_ascii=False),
        "objects": "\n".join(
            f"{key} {answer['Metadata']} {answer['Body'].read().decode(errors='replace')}"
            for key, answer in objects
        ),
        "the laptop": "\n".join(files_of_the_laptop(machine)),
    }


def unpacked(attribute: object) -> str:
    """What a row keeps in packed form, so that the search sees into it."""
    assert isinstance(attribute, bytes)
    return zlib.decompress(attribute).decode()


def files_of_the_laptop(machine: Machine) -> Iterator[str]:
    for path in machine.folder.rglob("*"):
        if path.is_file() and path.name != "secrets.json":
            yield f"{path}\n{path.read_text(errors='replace')}"


def finds(needle: str, text: str) -> bool:
    """Whether it is there, plainly or in base64, as a request's body travels inside AWS."""
    plain = needle.encode()
    # Base64 of a text that stands anywhere: three alignments, without the characters that neighbours share.
    encoded = [base64.b64encode(b"\0" * shift + plain).decode()[4 if shift else 0 : -4] for shift in range(3)]
    return any(form in text for form in (needle, needle.lower(), *encoded))


def test_the_secrets_are_nowhere(deployed: Deployed, secrets: Secrets) -> None:
    everywhere = places(deployed, secrets.machine) | {"said": secrets.said, "arguments": secrets.arguments}
    found = [
        (name, place)
        for name, needle in secrets.by_name.items()
        for place, text in everywhere.items()
        if finds(needle, text)
    ]
    # `panicroom enrol` shows the recovery code once: it is for paper.
    assert [(name, place) for name, place in found if (name, place) != ("recovery code", "said")] == []


def test_what_goes_wrong_leaves_its_mark_in_log_and_mail(deployed: Deployed, secrets: Secrets) -> None:
    """Otherwise the search above would have searched nothing."""
    everywhere = places(deployed, secrets.machine)
    api_log = everywhere[f"/aws/lambda/{deployed.stack.functions['api_handler']}"]
    for error in ("code_used", "bad_json", "bad_request", "lease_lost", "bad_code", "read_only"):
        assert error in api_log
    assert "was typed again" in everywhere["mails"]
    assert "its recovery code was used" in everywhere["mails"]
    assert NAME in everywhere["rows"]
    assert NAME in everywhere["objects"]
    assert "duplicity" in everywhere["the laptop"]
    assert "--file-prefix-archive" in secrets.arguments  # duplicity runs in a process of panicroom's


def test_the_search_finds_what_is_planted(deployed: Deployed, secrets: Secrets) -> None:
    stack = deployed.stack
    assert not any(finds(PLANTED, text) for text in places(deployed, secrets.machine).values())
    row = {"pk": {"S": "PLANTED"}, "sk": {"S": PLANTED}}
    deployed.client("dynamodb").put_item(TableName=stack.table, Item=row)
    deployed.client("s3").put_object(Bucket=stack.bucket, Key="planted", Body=f"x{PLANTED}y".encode())
    deployed.client("lambda").invoke(
        FunctionName=stack.functions["admin"], Payload=json.dumps({"command": PLANTED}).encode()
    )
    hidden_in_base64 = base64.b64encode(f"{{...{PLANTED}...}}".encode()).decode()
    deployed.client("sesv2").send_email(
        FromEmailAddress="panicroom@example.com",
        Destination={"ToAddresses": ["owner@example.com"]},
        Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": hidden_in_base64}}}},
    )
    (secrets.machine.folder / "state" / "planted.log").write_text(f"...{PLANTED}...")
    everywhere = places(deployed, secrets.machine)
    found = {place for place, text in everywhere.items() if finds(PLANTED, text)}
    admin_log = f"/aws/lambda/{stack.functions['admin']}"
    assert found == {"rows", "objects", "mails", "the laptop", "the stack's log", admin_log}

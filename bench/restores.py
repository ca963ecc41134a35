"""How fast backups come back: a file of a long chain, a backup without its cache, and a whole restore.

The server and the lines are those of ``uploads``. A whole restore is compared with duplicity's stock S3 backend. The
chain has 365 increments; gpg's stretching of the passphrase is short there, as it would hide everything else on two
processors (with gpg's usual settings add 0.1 seconds of processor time for each of 731 files).
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
from panicroom.duplicity_run.plan import WITHOUT_VARIABLE
from panicroom.duplicity_run.speed import session_keys, volumes_ahead
from panicroom.origin import SetEvidence, key_from_passphrase, proof_of

from bench.budgets import Budgets
from bench.generated.chain import generate_chain
from bench.processes import Cost
from bench.programs import PASSPHRASE, PROGRAMS, Client, Program, Stock, UploadTarget, make_source
from bench.speed_ups import times_used
from bench.upload import SOURCE_MB, places
from ops.aws import Aws
from ops.service.lambda_function import LambdaFunction
from ops.service.reconcile import reconcile as reconcile_jobs
from ops.steps import silent_steps

INCREMENTS = 365
ONE_FILE = "file-007"
"""Changed four times in a year, the last of them weeks before the newest set."""

MOST_VOLUMES = 4
MOST_FILE_SECONDS = 6.0
MOST_FILE_CPU_SECONDS = 3.0
"""Between 1.8 and 2.5 were measured, whatever else the machine had to do."""

ROUNDS = 3
"""The least of them counts: a function of the service that starts by its schedule takes one of two processors."""

MOST_BACKUP_SECONDS = 25.0
MOST_OF_STOCK = {"near": 0.75, "far": 0.45}

MOST_WITH_SESSION_KEYS = 0.92
"""Between what was measured, 0.82, and 1."""

MOST_WITH_VOLUMES_AHEAD = 0.95
"""On a machine with nothing else to do: it saves no processor's time, and a busy second processor gives it none."""


def _whole_restore(budgets: Budgets, line: str, place: UploadTarget, source: Path) -> None:
    """Everything, proved, by the client and by the stock backend, in turns; near also without each speed-up."""
    stock, client = Stock(place, source), Client(place, source)
    stock.back_up()
    client.back_up()
    theirs: list[Cost] = []
    ours: list[Cost] = []
    without: dict[str, list[Cost]] = {session_keys.NAME: [], volumes_ahead.NAME: []}
    for _round in range(3 if line == "near" else 1):
        for program, costs in ((stock, theirs), (client, ours)):
            costs.append(_restored(program))
        assert times_used(client, volumes_ahead.NAME), "no volume was opened ahead"
        if line == "near":
            for name, costs in without.items():
                costs.append(_restored_without(name, client))
    for program in (stock, client):
        shutil.rmtree(program.home)
    budgets.say(f"{line}: stock {_times(theirs)}, client {_times(ours)}")
    ratio = min(cost.seconds for cost in ours) / min(cost.seconds for cost in theirs)
    budgets.check(f"{line}: restore by the client to stock backend", ratio, MOST_OF_STOCK[line])
    if line == "near":
        _compare_speed_ups(budgets, ours, without)


def _compare_speed_ups(budgets: Budgets, ours: list[Cost], without: dict[str, list[Cost]]) -> None:
    saved = min(cost.cpu_seconds for cost in ours) / min(
        cost.cpu_seconds for cost in without[session_keys.NAME]
    )
    budgets.check("session keys: seconds of CPU with them to those without", saved, MOST_WITH_SESSION_KEYS)
    saved = min(cost.seconds for cost in ours) / min(cost.seconds for cost in without[volumes_ahead.NAME])
    budgets.check("volumes opened ahead: seconds with it to those without", saved, MOST_WITH_VOLUMES_AHEAD)


def _restored_without(speed_up: str, client: Client) -> Cost:
    client.more[WITHOUT_VARIABLE] = speed_up
    cost = _restored(client)
    client.more.clear()
    return cost


def _restored(program: Program) -> Cost:
    shutil.rmtree(program.home / "restored", ignore_errors=True)
    return program.restore()


def _long_chain(budgets: Budgets, place: UploadTarget, folder: Path) -> None:
    """A file, with and without the cache, and a backup without it."""
    source = folder / "chain"
    source.mkdir()
    client = Client(place, source)
    short = place.gpg / "gpg.conf"
    short.write_text("s2k-count 65536\n")
    _store_chain(place, client, source)
    short.unlink()
    wanted = (source / ONE_FILE).read_bytes()
    budgets.say(f"near, a chain of {INCREMENTS} increments:")
    costs: dict[str, list[Cost]] = {state: [] for state in ("empty cache", "cache at hand")}
    for _round in range(ROUNDS):
        _forget(client)
        for found in costs.values():
            found.append(_restored_file(client, wanted))
    for state, found in costs.items():
        budgets.say(f"  {state}: {_times(found)}")
        seconds = min(cost.seconds for cost in found)
        budgets.check(f"one file, {state}", seconds, MOST_FILE_SECONDS, " s")
        cpu_seconds = min(cost.cpu_seconds for cost in found)
        budgets.check(f"one file, {state}, by the client", cpu_seconds, MOST_FILE_CPU_SECONDS, " s of CPU")
    budgets.check("volumes for one file", _planned_volumes(client), MOST_VOLUMES)
    _forget(client)
    (source / ONE_FILE).write_bytes(b"changed")
    cost = client.panicroom("backup", "incremental")
    budgets.check("a backup whose cache was lost", cost.seconds, MOST_BACKUP_SECONDS, " s")


def _forget(client: Client) -> None:
    for name in ("cache", "state"):
        shutil.rmtree(client.home / name, ignore_errors=True)


def _restored_file(client: Client, wanted: bytes) -> Cost:
    to = client.home / "file"
    shutil.rmtree(to, ignore_errors=True)
    cost = client.panicroom("restore", ONE_FILE, "--to", str(to))
    if (to / ONE_FILE).read_bytes() != wanted:
        raise RuntimeError(f"{ONE_FILE} came back wrong")
    return cost


def _store_chain(place: UploadTarget, client: Client, source: Path) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=place.endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    environment = place.environment(client.home)
    newest = (datetime.now(timezone.utc) - timedelta(hours=1)).replace(microsecond=0)
    key = key_from_passphrase(PASSPHRASE, client.name, "system")
    sha256: dict[str, str] = {}
    for file in generate_chain(source, INCREMENTS, newest, environment, PASSPHRASE):
        digest = hashlib.sha256(file.data)
        sha256[file.name] = digest.hexdigest()
        s3.put_object(
            Bucket=place.stack.bucket,
            Key=f"{client.name}/system/{file.name}",
            Body=file.data,
            ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            Metadata=_metadata(key, client.name, file.name, sha256),
        )
    reconcile = LambdaFunction(
        Aws(place.stack.region, place.stack.endpoint), place.stack.functions["reconcile"]
    )
    reconcile_jobs(reconcile, [(client.name, "system")], silent_steps())


def _metadata(key: bytes, machine: str, name: str, sha256: Mapping[str, str]) -> dict[str, str]:
    """What a client has signed into the PUT of a manifest, which comes behind its signatures."""
    if not name.endswith(".manifest.gpg"):
        return {}
    *_, signatures, manifest = sha256
    set_name = name.removeprefix("meta_duplicity-").removesuffix(".manifest.gpg")
    evidence = SetEvidence(set_name, 1, sha256[manifest], (sha256[signatures],))
    return {"volumes": "1", "proof": proof_of(key, machine, "system", evidence)}


def _planned_volumes(client: Client) -> int:
    """The volumes that the client would fetch for the file."""
    shown = subprocess.run(
        [PROGRAMS / "panicroom", "restore", ONE_FILE, "--dry-run", "--json", "--to", client.home / "nowhere"],
        env=client.place.environment(client.home),
        capture_output=True,
        check=True,
    )
    return sum(len(item["numbers"]) for item in json.loads(shown.stdout)["volumes"])


def _times(costs: list[Cost]) -> str:
    return ", ".join(str(cost) for cost in costs)


def main(say: Callable[[str], None]) -> list[str]:
    """Says seconds and ratios; the budgets that were missed."""
    budgets = Budgets(say)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        source = make_source(folder, "incompressible", SOURCE_MB)
        with places(folder) as found:
            _long_chain(budgets, found["near"], folder)
            for line in ("near", "far"):
                _whole_restore(budgets, line, found[line], source)
    return budgets.missed

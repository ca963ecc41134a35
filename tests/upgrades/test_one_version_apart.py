"""The client and the service of the release before, and today's: each with the other's, and an upgrade in place.

Both releases are the real ones (README.md tells how they were kept), with real duplicity and gpg. Anna's laptop has
the older client and is brought up to date after the service; Ben's had today's before the service was.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from panicroom.api import Api

from chalicelib.config import NEWEST_CLIENT_VERSION, OLDEST_CLIENT_VERSION
from ops.aws import Aws
from ops.cli import commands
from ops.demo.compare_trees import differences, record_tree
from ops.demo.laptop import gpg_folder
from ops.environments import LAPTOP, python_of
from ops.local.ministack import MiniStack, free_port
from ops.local.stack import LocalStack
from ops.local.thaw_hook import ThawHook
from ops.service.admin_client import local_admin_client
from tests.end_to_end.api_thaws import ApiThaws
from tests.end_to_end.conftest import PROGRAMS, Machine, Service

FOLDER = Path(__file__).parent
BEFORE = OLDEST_CLIENT_VERSION
CLIENT_BEFORE = FOLDER / f"panicroom-{BEFORE}-py3-none-any.whl"
SERVICE_BEFORE = FOLDER / f"service-{BEFORE}.zip"

# Modules of the release before, by their names then.
DEPLOY = """\
import pathlib, sys
from ops.local_stack import LocalStack
LocalStack(pathlib.Path(sys.argv[1])).up(enforce_iam=True)
"""


def run(command: list[str], folder: Path) -> str:
    """Runs it in a folder, where it leaves no byte code (Chalice would pack it); what it printed."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def older_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The older client in an environment of its own; what it depends on is taken from the laptop's."""
    environment = tmp_path_factory.mktemp("older-client")
    python = str(environment / "bin" / "python")
    run([python_of(LAPTOP), "-m", "venv", "--without-pip", str(environment)], environment)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", python]
    run([*pip, "install", "--no-deps", "--no-compile", str(CLIENT_BEFORE)], environment)
    [target] = (environment / "lib").glob("python*/site-packages")
    # Searched last, so that the wheel's own modules are the ones that run.
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    (target / "dependencies.pth").write_text(run([python_of(LAPTOP), "-c", show], environment))
    found = run([python, "-c", "import panicroom.duplicity_child as one; print(one.__file__)"], environment)
    assert Path(found.strip()) == target / "panicroom" / "duplicity_child.py"
    return environment / "bin"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The older service, as its own ``ops`` deploys it; ``upgraded`` makes it today's."""
    release, state = tmp_path_factory.mktemp("release"), tmp_path_factory.mktemp("state")
    with zipfile.ZipFile(SERVICE_BEFORE) as archive:
        archive.extractall(release)
    stack = LocalStack(state)
    # What it runs in was made in this checkout; the rest is the release's own.
    MiniStack(state).start(free_port(), enforce_iam=True)
    try:
        run([sys.executable, "-c", DEPLOY, str(state)], release)
        description = stack.description()
        assert description is not None
        s3 = Aws(description.region, description.endpoint).client("s3")
        with gpg_folder(is_quick=True) as gpg:
            laptops = tmp_path_factory.mktemp("laptops")
            yield Service(description, local_admin_client(description), s3, laptops, gpg, state)
    finally:
        stack.down()


@pytest.fixture(scope="module")
def anna(service: Service, older_programs: Path) -> Machine:
    """The older client with the older service: a full backup."""
    machine = service.machine("annas-laptop", programs=older_programs)
    fill(machine.source)
    machine.do("backup")
    return machine


@pytest.fixture(scope="module")
def ben(service: Service) -> Machine:
    """Today's client with the older service: a full backup and an increment."""
    machine = service.machine("bens-laptop")
    fill(machine.source)
    machine.do("backup")
    change(machine.source, "first")
    machine.do("backup")
    return machine


@pytest.fixture(scope="module")
def upgraded(service: Service, anna: Machine, ben: Machine) -> Service:
    """Today's service in the place of the older one, over the rows and the objects that are there."""
    assert service.state_folder is not None
    for machine, count in ((anna, 1), (ben, 2)):
        service.wait_for_sets(machine.name, count)
    kept = service.keys("")
    today, before = LocalStack(service.state_folder).up(enforce_iam=True), service.stack
    assert today.functions.items() > before.functions.items()
    # MiniStack makes another API where the routes have changed. On AWS it stays: tests/ops/test_deploy_again.py
    for machine in (anna, ben):
        machine.settings.write_text(machine.settings.read_text().replace(before.api_url, today.api_url))
    assert dataclasses.replace(today, functions=before.functions, api_url=before.api_url) == before
    assert service.keys("").items() >= kept.items()
    return dataclasses.replace(service, stack=today)


def fill(root: Path) -> None:
    content = random.Random(9)
    (root / "photos").mkdir()
    for name in ("photos/harbour.raw", "photos/wedding.raw"):
        (root / name).write_bytes(content.randbytes(700_000))
    (root / "Grüße.txt").write_text("not ASCII")
    (root / "link").symlink_to("photos/harbour.raw")


def change(root: Path, what: str) -> None:
    with (root / "photos/harbour.raw").open("ab") as file:
        file.write(what.encode())
    (root / what).write_text(what)
    (root / "Grüße.txt").unlink(missing_ok=True)


def differences_after_a_restore(machine: Machine, target: Path) -> list[str]:
    machine.do("restore", "--to", str(target))
    return differences(record_tree(machine.source), record_tree(target))


def types(service: Service, *words: str) -> Any:
    result = CliRunner().invoke(commands, [*words, "--state", str(service.state_folder), "--json"])
    assert result.stdout, result.exception or result.output
    return json.loads(result.stdout)


# ---------------------------------------------------------------- before the service is upgraded


def test_todays_client_backs_up_to_the_service_of_the_release_before_and_restores(
    service: Service, ben: Machine, tmp_path: Path
) -> None:
    assert "system  fresh" in ben.do("status").output
    assert differences_after_a_restore(ben, tmp_path / "restored") == []
    assert [one["kind"] for one in service.wait_for_sets(ben.name, 2)] == ["full", "inc"]


def test_todays_doctor_asks_for_a_service_as_new_as_the_client(ben: Machine) -> None:
    said = ben.run("doctor").said
    assert f"{NEWEST_CLIENT_VERSION} is newer than the service knows" in said


# ---------------------------------------------------------------- and from then on


def test_the_client_of_the_release_before_goes_on_with_todays_service(
    upgraded: Service, anna: Machine
) -> None:
    change(anna.source, "second")
    said = anna.do("backup", "incremental").said
    assert f"panicroom {NEWEST_CLIENT_VERSION} is out; this is {BEFORE}" in said
    assert "system  fresh" in anna.do("status").output
    assert "second" in anna.do("files").output


def test_the_client_of_the_release_before_passes_over_a_family_of_photos(
    upgraded: Service, anna: Machine
) -> None:
    added = upgraded.admin.call("machine_add", name=anna.name, photos=True)
    assert (added["jobs"], len(added["families"])) == (["system"], 1)
    assert "system  fresh" in anna.do("status").output
    anna.do("files")


def test_the_client_of_the_release_before_is_told_that_it_cannot_back_up_photos_and_uses_up_no_code(
    upgraded: Service, older_programs: Path
) -> None:
    folder = upgraded.laptops / "pictures-only"
    machine = Machine("pictures-only", folder, upgraded.gpg, programs=older_programs)
    machine.source.mkdir(parents=True)
    code = upgraded.admin.call("machine_add", name=machine.name, photos=True)["code"]
    enrol = ("enrol", upgraded.stack.api_url, code, "--source", str(machine.source), "--yes")
    ended = machine.run(*enrol)
    assert ended.code != 0
    assert "backs up pictures, which this version of panicroom cannot do" in ended.said
    assert not machine.settings.exists()
    machine.programs = PROGRAMS
    (machine.source / "2018").mkdir()
    (machine.source / "2018" / "harbour.raw").write_bytes(b"harbour")
    machine.do(*enrol[:3], "--source", f"photos={machine.source}", "--yes")


def test_todays_client_goes_on_where_the_one_before_left_off(
    upgraded: Service, anna: Machine, tmp_path: Path
) -> None:
    """The laptop's settings, state and cache are those that the older client made."""
    anna.programs = PROGRAMS
    change(anna.source, "third")
    assert "is out" not in anna.do("backup", "incremental").said
    assert differences_after_a_restore(anna, tmp_path / "restored") == []
    sets = upgraded.wait_for_sets(anna.name, 3)
    assert [one["kind"] for one in sets] == ["full", "inc", "inc"]
    assert all(one["volumes"] == one["volumes_expected"] for one in sets)


def test_todays_service_reads_what_the_one_before_wrote_down(
    upgraded: Service, anna: Machine, ben: Machine
) -> None:
    assert [one["complete"] for one in upgraded.sets(ben.name)] == [True, True]
    assert types(upgraded, "reconcile")["differences"] == []
    mail = types(upgraded, "report", "preview")["text"]
    assert anna.name in mail
    assert ben.name in mail
    assert [one for one in types(upgraded, "audit")["findings"] if one["severity"] != "info"] == []


def test_what_the_one_before_stored_is_thawed_within_the_budget_that_all_have(
    upgraded: Service, anna: Machine
) -> None:
    """The rows of its machines have no budget for thaws, and its stage had no function for them."""
    hook, thaws = ThawHook(upgraded.stack.endpoint), ApiThaws(upgraded.stack.api_url, anna)
    hook.delay(0.1)
    sets = upgraded.sets(anna.name)
    assert hook.freeze(anna.name) == sum(one["volumes"] for one in sets)
    plan = thaws.plan(sets)
    assert (plan["left_usd"], plan["needs_approval"]) == (1.0, False)
    thaws.start(plan)
    assert thaws.wait_until_ready(plan["thaw"])["done"] == plan["archived"]
    hook.freeze(anna.name, "STANDARD")


def test_from_the_first_proof_of_origin_on_the_older_client_is_asked_to_upgrade(
    upgraded: Service, anna: Machine, older_programs: Path
) -> None:
    """Until then it goes on, as the tests above show: a job that never had a proof needs none."""
    secret = json.loads((anna.folder / "config" / "secrets.json").read_text())[f"{anna.name}.secret"]
    api = Api(upgraded.stack.api_url, f"{anna.name}.{secret}")
    (job,) = api.machine().jobs
    api.close()
    assert job.proofs_since is not None
    before = {one["set"] for one in upgraded.sets(anna.name) if one["complete"]}
    anna.programs = older_programs
    change(anna.source, "fourth")
    ended = anna.run("backup", "incremental")
    anna.programs = PROGRAMS
    assert ended.code == 13, ended.said
    assert (
        f"panicroom {BEFORE} is too old for the service; upgrade it to {NEWEST_CLIENT_VERSION}" in ended.said
    )
    assert {one["set"] for one in upgraded.sets(anna.name) if one["complete"]} == before

"""The way back without the service and without the client, typed as the recovery sheet prints it: AWS's command line,
and plain duplicity, today's and the one that the distribution packages (Debian 12: 0.8.22)."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from panicroom.recovery import plain_way
from panicroom.recovery.plain_way import StoredJob

from ops.demo.compare_trees import differences, record_tree
from ops.local.thaw_hook import ThawHook
from tests.end_to_end.api_thaws import hooked
from tests.end_to_end.conftest import PROGRAMS, Machine, Service
from tests.end_to_end.packaged_duplicity import packaged_duplicity
from tests.end_to_end.test_the_main_job import change, fill
from tests.ops.test_thaw_by_hand import aws_works
from tests.terminal import Terminal

NAME = "plain-laptop"
PASSPHRASE = 'it\'s "my" $HOME  passphrase'
SECONDS = 180
NO_AWS = "AWS's command line is not installed: nothing of the way back without the service was tried"
NO_APT = "there is no apt: that the distribution's own duplicity (0.8 in Debian 12) restores was not proved"

pytestmark = pytest.mark.skipif(not aws_works(), reason=NO_AWS)


@dataclass
class Computer:
    """A new one, with AWS's command line, keys that may read, and one duplicity."""

    folder: Path
    service: Service
    duplicity: Path
    gpg: Path

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.duplicity}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "GNUPGHOME": str(self.gpg),
            "AWS_ENDPOINT_URL": self.service.stack.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def types(self, *lines: str, ends_with: int = 0, **variables: str) -> str:
        """What they print; ``variables`` are set besides."""
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
            cwd=self.folder,
            env={**self.environment(), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ended.returncode == ends_with, ended.stdout + ended.stderr
        return ended.stdout


@pytest.fixture(params=["today's", "the distribution's"])
def computer(request: pytest.FixtureRequest, service: Service, tmp_path: Path) -> Computer:
    folder = PROGRAMS if request.param == "today's" else packaged_duplicity()
    if folder is None:
        pytest.skip(NO_APT)
    return Computer(tmp_path, service, folder, service.gpg)


def odd_names(root: Path) -> None:
    for name in (b"bad\xff\xfename", b" space ", b"'\"\\$x", b"%20#?", b"-r"):
        (root / os.fsdecode(name)).write_bytes(name * 1000)


def stored(service: Service, machine: str, **more: bool) -> StoredJob:
    """As ``GET /machine`` names the place."""
    return StoredJob("system", service.stack.bucket, f"{machine}/system/", service.stack.region, **more)


@pytest.fixture(scope="module")
def machine(service: Service) -> Machine:
    """With a full backup in several volumes and two increments."""
    machine = service.machine(NAME, passphrase=PASSPHRASE)
    fill(machine.source)
    odd_names(machine.source)
    machine.remember("full")
    machine.do("backup")
    change(machine.source)
    machine.do("backup")
    (machine.source / "best.raw").write_bytes(b"cropped")
    machine.remember("newest")
    machine.do("backup")
    service.wait_for_sets(NAME, 3)
    return machine


def test_the_packaged_one_is_the_distributions_own() -> None:
    folder = packaged_duplicity()
    if folder is None:
        pytest.skip(NO_APT)
    said = subprocess.run([folder / "duplicity", "--version"], capture_output=True, text=True, check=True)
    if "VERSION_CODENAME=bookworm" in Path("/etc/os-release").read_text():
        assert said.stdout.strip() == "duplicity 0.8.22"
    assert said.stdout.split()[1] != "3.2.1"


def test_everything_comes_back_bit_for_bit(service: Service, machine: Machine, computer: Computer) -> None:
    place = stored(service, NAME)
    lines = [*plain_way.names(place), *plain_way.copy_down(place), *plain_way.restore(place)]
    computer.types(*lines, PASSPHRASE=PASSPHRASE)
    restored = computer.folder / "restored" / "system"
    assert differences(machine.snapshots["newest"], record_tree(restored)) == []


def test_an_older_state_and_a_single_path_come_back_by_options_that_both_know(
    service: Service, machine: Machine, computer: Computer
) -> None:
    place, full = stored(service, NAME), service.sets(NAME)[0]["set"].removeprefix("full.")
    before = [*plain_way.names(place), *plain_way.copy_down(place)]
    then, one = (
        [
            line.replace("duplicity restore ", f"duplicity restore {option} ")
            for line in plain_way.restore(place)
        ]
        for option in (f"--time {full}", "-r 2019/harbour/IMG_1.raw")
    )
    computer.types(*before, *then, PASSPHRASE=PASSPHRASE)
    restored = computer.folder / "restored" / "system"
    assert differences(machine.snapshots["full"], record_tree(restored)) == []
    wanted = (restored / "2019/harbour/IMG_1.raw").read_bytes()
    at_that_time = [line.replace("restored/$J", "one") for line in one]
    at_that_time = [line.replace("-r ", f"--time {full} -r ") for line in at_that_time]
    computer.types(*plain_way.names(place), *at_that_time[:2], *at_that_time[3:], PASSPHRASE=PASSPHRASE)
    assert (computer.folder / "one").read_bytes() == wanted


def test_the_passphrase_is_asked_for_and_typed(
    service: Service, machine: Machine, computer: Computer
) -> None:
    """With all its quotes and spaces, which a line of a shell would need escaped."""
    place = stored(service, NAME)
    person = Terminal(computer.folder, computer.environment(), SECONDS)
    try:
        *before, first, second, third = [
            *plain_way.names(place),
            *plain_way.copy_down(place),
            *plain_way.restore(place),
        ]
        for line in before:
            person.types(
                line, ends_with=1 if line.startswith("duplicity --version") and is_new(computer) else 0
            )
        command = " ".join(line.rstrip("\\") for line in (first, second, third))
        person.types(command, {"GnuPG passphrase for decryption": PASSPHRASE})
    finally:
        person.closes()
    restored = computer.folder / "restored" / "system"
    assert differences(machine.snapshots["newest"], record_tree(restored)) == []


def is_new(computer: Computer) -> bool:
    return computer.types("duplicity --version").split()[1][:2] not in ("0.", "1.")


# ---------------------------------------------------------------- volumes in Deep Archive


@pytest.fixture
def hook(service: Service, machine: Machine) -> Iterator[ThawHook]:
    with hooked(service.stack.endpoint, 0.5) as hook:
        hook.freeze(NAME)
        hook.expire(NAME)
        yield hook


def test_archived_volumes_come_back_by_the_lines_for_the_cloud_shell(
    service: Service, machine: Machine, computer: Computer, hook: ThawHook
) -> None:
    place, volumes = stored(service, NAME), set(service.keys(f"{NAME}/system/data_"))
    ask, names = plain_way.ask_for_copies(), plain_way.names(place)
    is_it_there = [*names, *ask[:4], *plain_way.what_is_cold()]
    hook.delay(3600)
    assert set(computer.types(*is_it_there).split()) == volumes
    computer.types(*names, *ask)
    assert set((computer.folder / "asked").read_text().split()) == volumes
    computer.types(*names, *ask)
    assert (computer.folder / "asked").read_text() == "", "typed again it asks for nothing twice"
    assert set(computer.types(*is_it_there).split()) == volumes, "asked for, and not to be read yet"
    computer.types(*names, *plain_way.copy_down(place), ends_with=1)
    hook.finish(NAME)
    assert computer.types(*is_it_there) == ""
    [sync] = plain_way.copy_down(place)
    computer.types(*names, sync.replace(" --force-glacier-transfer", ""), ends_with=2)
    copied = computer.folder / "stored" / "system"
    assert not list(copied.glob("data_*")), "without the option AWS's command line passes thawed copies over"
    computer.types(*names, sync, *plain_way.restore(place), PASSPHRASE=PASSPHRASE)
    assert {f"{NAME}/system/{path.name}" for path in copied.glob("data_*")} == volumes
    restored = computer.folder / "restored" / "system"
    assert differences(machine.snapshots["newest"], record_tree(restored)) == []


# ---------------------------------------------------------------- a GnuPG key instead of a passphrase


@pytest.fixture(scope="module")
def key_machine(service: Service) -> Iterator[Machine]:
    """With a full backup and an increment for a key, and a keyring of its own."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as keyring:
        environment = {"PATH": os.environ["PATH"], "GNUPGHOME": keyring}
        quick = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "anna@example.org", "rsa2048"]
        subprocess.run([*quick, "encr", "0"], env=environment, capture_output=True, check=True)
        machine = Machine("key-laptop", service.laptops / "key-laptop", Path(keyring), passphrase="")
        machine.source.mkdir(parents=True)
        fill(machine.source)
        code = service.admin.call("machine_add", name=machine.name)["code"]
        words = ["--source", str(machine.source), "--gpg-key", "anna@example.org", "--yes"]
        machine.do("enrol", service.stack.api_url, code, *words)
        machine.do("backup")
        change(machine.source)
        machine.remember("newest")
        machine.do("backup")
        yield machine
        subprocess.run(["gpgconf", "--kill", "all"], env=environment, capture_output=True, check=False)


def test_with_the_secret_key_in_the_place_of_a_passphrase_everything_comes_back(
    service: Service, key_machine: Machine, computer: Computer
) -> None:
    place = stored(service, key_machine.name, with_key=True)
    computer.gpg = key_machine.gpg
    computer.types(*plain_way.names(place), *plain_way.copy_down(place), *plain_way.restore(place))
    restored = computer.folder / "restored" / "system"
    assert differences(key_machine.snapshots["newest"], record_tree(restored)) == []

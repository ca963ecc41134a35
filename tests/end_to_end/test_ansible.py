"""Five laptops by Ansible: the example's own playbook and role, real clients of this release and of the one before.

The laptops are five folders here; what Ansible does is done in them as on a machine that it reaches over the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from panicroom import __version__

from chalicelib.config import OLDEST_CLIENT_VERSION
from chalicelib.domain.offered_client import OfferedClient, OfferedFile, version_key
from ops.client.wheel import LOCK
from ops.demo.laptop import laptop_environment
from ops.environments import LAPTOP, ROOT, python_of
from tests.end_to_end.conftest import Machine, Service

ANSIBLE = Path(sys.executable).parent
EXAMPLE = Path(ROOT) / "docs" / "ansible"
BEFORE = OLDEST_CLIENT_VERSION
WHEEL_BEFORE = Path(ROOT) / "tests" / "upgrades" / f"panicroom-{BEFORE}-py3-none-any.whl"
NAMES = ("anna", "ben", "carla", "dora", "emil")

VENV = """\
#!/bin/sh -e
# An environment that has the libraries of the laptop's already, pip among them, and not its client.
"{python}" -m venv --without-pip "$1"
touch "$1/bin/pip"
echo "{libraries}" > "$(echo "$1"/lib/python*/site-packages)/libraries.pth"
"""

CRONTAB = """\
#!/bin/sh
case "$1" in -l) cat "$HOME/crontab" ;; -) cat > "$HOME/crontab" ;; esac
"""


@dataclass
class Ran:
    """How a playbook ended. ``changed`` and ``failed`` count the tasks of each machine that it came to."""

    code: int
    said: str

    def counted(self, word: str) -> dict[str, int]:
        recap = self.said.rpartition("PLAY RECAP")[2]
        return {name: int(n) for name, n in re.findall(rf"(?m)^(\w+) +: .*\b{word}=(\d+)", recap)}


@dataclass
class Fleet:
    service: Service
    folder: Path
    machines: dict[str, Machine]

    def play(self, version: str, *options: str) -> Ran:
        given = {"panicroom_url": self.service.stack.api_url, "panicroom_version": version}
        command = [
            str(ANSIBLE / "ansible-playbook"),
            str(EXAMPLE / "panicroom.yml"),
            f"--inventory={self.folder / 'inventory.yml'}",
            f"--vault-password-file={self.folder / 'vault-password'}",
            f"--extra-vars=@{self.folder / 'passphrases.yml'}",
            f"--extra-vars={json.dumps(given)}",
            "--forks=2",
            *options,
        ]
        ended = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        return Ran(ended.returncode, ended.stdout + ended.stderr)

    def environment(self) -> dict[str, str]:
        programs = [str(self.folder / "bin"), str(ANSIBLE), os.environ["PATH"]]
        return {
            "PATH": ":".join(programs),
            "HOME": str(self.folder),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_PIPELINING": "true",
            "LANG": "C.UTF-8",
        }

    def versions(self) -> dict[str, str | None]:
        """As the service knows them."""
        admin = self.service.admin
        return {name: admin.call("machine_show", name=name)["client_version"] for name in NAMES}

    def write(self, name: str, text: str, mode: int = 0o600) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)


@pytest.fixture(scope="module")
def fleet(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Five machines that were added, none of which has anything yet."""
    folder = tmp_path_factory.mktemp("fleet")
    machines = {}
    for name in NAMES:
        programs = folder / name / ".local" / "bin"
        machines[name] = Machine(name, folder / name, service.gpg, f"{name} 'n' $HOME \" horse", programs)
        machines[name].source.mkdir(parents=True)
        (machines[name].source / "letter.txt").write_text(f"Dear {name}")
    fleet = Fleet(service, folder, machines)
    added = [service.admin.call("machine_add", name=name) for name in NAMES]
    fleet.write("codes.json", json.dumps(added))
    fleet.write("inventory.yml", yaml.safe_dump(inventory(fleet)))
    fleet.write("vault-password", "swordfish")
    passphrases = {name: machine.passphrase for name, machine in machines.items()}
    fleet.write("passphrases.yml", yaml.safe_dump({"panicroom_passphrases": passphrases}))
    encrypt = [str(ANSIBLE / "ansible-vault"), "encrypt", "--vault-password-file=vault-password"]
    subprocess.run([*encrypt, "passphrases.yml"], cwd=folder, env=fleet.environment(), check=True)
    fleet.write("bin/crontab", CRONTAB, 0o755)
    fleet.write("bin/venv", VENV.format(python=python_of(LAPTOP), libraries=libraries(folder)), 0o755)
    offer_the_release_before(service)
    yield fleet
    service.s3.delete_object(Bucket=service.stack.bucket, Key=version_key(BEFORE))


def inventory(fleet: Fleet) -> object:
    hosts = {
        name: {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "panicroom_home": str(machine.folder),
            "panicroom_sources": [str(machine.source)],
            "panicroom_environment": laptop_environment(machine.folder, machine.gpg),
            "panicroom_venv_command": [str(fleet.folder / "bin" / "venv")],
        }
        for name, machine in fleet.machines.items()
    }
    return {"laptops": {"hosts": hosts}}


def libraries(folder: Path) -> Path:
    links = folder / "libraries"
    links.mkdir()
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python_of(LAPTOP), "-c", show], capture_output=True, text=True, check=True).stdout
    for path in Path(found.strip()).iterdir():
        if not path.name.startswith("panicroom"):
            (links / path.name).symlink_to(path)
    return links


def offer_the_release_before(service: Service) -> None:
    """As a deploy of its own has left it in the bucket."""
    files = []
    for path in (WHEEL_BEFORE, LOCK):
        key, body = f"_service/client/before/{path.name}", path.read_bytes()
        service.s3.put_object(Bucket=service.stack.bucket, Key=key, Body=body, ChecksumAlgorithm="SHA256")
        files.append(OfferedFile(key, hashlib.sha256(body).hexdigest()))
    record = OfferedClient(BEFORE, *files).as_text().encode()
    service.s3.put_object(Bucket=service.stack.bucket, Key=version_key(BEFORE), Body=record)


@pytest.fixture(scope="module")
def looked_at(fleet: Fleet) -> Ran:
    """Before there is anything on the machines."""
    return fleet.play(BEFORE, "--check", "--diff")


@pytest.fixture(scope="module")
def first(fleet: Fleet, looked_at: Ran) -> Ran:
    """Everything that Ansible can say of a run is printed."""
    return fleet.play(BEFORE, "-vvv")


def test_five_laptops_are_enrolled_without_a_question_and_each_makes_a_backup(
    fleet: Fleet, first: Ran
) -> None:
    assert first.code == 0, first.said
    assert set(first.counted("changed")) == set(NAMES)
    assert fleet.versions() == dict.fromkeys(NAMES, BEFORE)
    for name, machine in fleet.machines.items():
        machine.do("backup")
        assert [one["complete"] for one in fleet.service.sets(name)] == [True]
        assert (machine.folder / "crontab").read_text().count("backup --scheduled") == 1


def test_with_check_a_machine_that_has_nothing_is_told_what_would_come(
    fleet: Fleet, looked_at: Ran, first: Ran
) -> None:
    assert looked_at.code == 0, looked_at.said
    assert looked_at.counted("failed") == dict.fromkeys(NAMES, 0)
    assert all(changed > 0 for changed in looked_at.counted("changed").values())
    assert all(first.counted("changed")[name] > looked_at.counted("changed")[name] for name in NAMES)


def test_no_secret_is_printed_however_much_is_asked_for(fleet: Fleet, first: Ran) -> None:
    added = json.loads((fleet.folder / "codes.json").read_text())
    secrets = [one[field] for one in added for field in ("code", "recovery_code")]
    secrets += [machine.passphrase for machine in fleet.machines.values()]
    assert first.said.count("the output has been hidden") >= len(NAMES)
    assert [secret for secret in secrets if secret in first.said] == []


def test_a_second_run_changes_nothing_and_needs_neither_codes_nor_passphrases(
    fleet: Fleet, first: Ran
) -> None:
    codes = (fleet.folder / "codes.json").rename(fleet.folder / "used-codes.json")
    try:
        again = fleet.play(BEFORE)
        assert again.code == 0, again.said
        assert again.counted("changed") == dict.fromkeys(NAMES, 0)
        assert fleet.play(BEFORE, "--check", "--limit=anna").counted("changed") == {"anna": 0}
        another = fleet.play(__version__, "--check", "--limit=anna")
        assert (another.code, another.counted("failed")) == (0, {"anna": 0})
        assert another.counted("changed")["anna"] > 0
        assert fleet.versions()["anna"] == BEFORE
    finally:
        codes.rename(fleet.folder / "codes.json")


def test_a_version_that_there_is_not_ends_the_first_wave_and_leaves_the_others_alone(
    fleet: Fleet, first: Ran
) -> None:
    ended = fleet.play("0.99.0")
    assert ended.code != 0
    assert ended.counted("failed") == {"anna": 1}
    assert f"It has {__version__}, {BEFORE}." in ended.said
    assert fleet.versions() == dict.fromkeys(NAMES, BEFORE)


def test_another_pinned_version_is_installed_in_waves(fleet: Fleet, first: Ran) -> None:
    upgraded = fleet.play(__version__)
    assert upgraded.code == 0, upgraded.said
    waves = [
        set(re.findall(r"(?m)^ok: \[(\w+)\]$", play.partition("TASK [")[2].partition("TASK [")[0]))
        for play in upgraded.said.split("PLAY [panicroom")[1:]
    ]
    assert waves == [{"anna"}, {"ben"}, {"carla", "dora", "emil"}]
    assert all(changed > 0 for changed in upgraded.counted("changed").values())
    assert fleet.versions() == dict.fromkeys(NAMES, __version__)
    for name, machine in fleet.machines.items():
        machine.do("backup")
        assert len(fleet.service.sets(name)) == 2
    assert fleet.play(__version__, "--limit=anna").counted("changed") == {"anna": 0}


@pytest.mark.parametrize("lost", ["pip", "schedule"])
def test_what_an_interrupted_run_left_out_the_next_one_does(fleet: Fleet, first: Ran, lost: str) -> None:
    """A laptop that was closed while its environment was made, or between its client and its schedule."""
    environment = fleet.machines["ben"].folder / ".local" / "share" / "panicroom-client"
    (environment / "bin" / "panicroom").unlink()
    if lost == "pip":
        (environment / "bin" / "pip").unlink()
        [packages] = environment.glob("lib/python*/site-packages")
        shutil.rmtree(packages)
        packages.mkdir()
    else:
        (environment / "schedule-version").unlink()
    again = fleet.play(__version__, "--limit=ben")
    assert again.code == 0, again.said
    assert (environment / "schedule-version").read_text() == __version__
    assert fleet.play(__version__, "--limit=ben").counted("changed") == {"ben": 0}


@pytest.mark.parametrize("passphrase", [83, "two\nlines"])
def test_what_yaml_has_made_of_a_passphrase_is_refused_before_anything_is_encrypted_with_it(
    fleet: Fleet, first: Ran, passphrase: object
) -> None:
    fleet.service.admin.call("machine_revoke", name="dora")
    given = json.dumps({"panicroom_passphrase": passphrase, "panicroom_code": "a-code"})
    ended = fleet.play(__version__, "--limit=dora", f"--extra-vars={given}")
    assert ended.code != 0
    assert "one line of text. Write it in quotes." in ended.said
    assert "two" not in ended.said


def test_a_machine_without_a_code_is_told_who_makes_one(fleet: Fleet, first: Ran) -> None:
    fleet.service.admin.call("machine_revoke", name="emil")
    (fleet.folder / "codes.json").unlink()
    ended = fleet.play(__version__, "--limit=emil")
    assert ended.code != 0
    assert "python -m ops machine add emil" in ended.said

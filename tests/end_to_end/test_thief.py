"""A thief has a machine's token, and where it backs up with a GnuPG key, that key's public half: what he stores is
never built on, the owner hears of it at once, and the machine's own backups go on."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from thief import Thief, text_of

from tests.end_to_end.conftest import PASSPHRASE, PROGRAMS, Machine, Service

FALSE = "ab" * 32
ADDRESS = "signs@example.org"


def gpg(home: Path, *words: str) -> str:
    command = ["gpg", "--batch", "--pinentry-mode=loopback", "--passphrase", PASSPHRASE, *words]
    environment = {"PATH": os.environ["PATH"], "GNUPGHOME": str(home)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def fingerprint(service: Service) -> str:
    """Of a key that encrypts and signs, in the keyring of all machines of these tests."""
    gpg(service.gpg, "--quick-generate-key", ADDRESS, "ed25519", "sign", "0")
    listing = gpg(service.gpg, "--with-colons", "--list-keys", ADDRESS)
    found = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))
    gpg(service.gpg, "--quick-add-key", found, "cv25519", "encr", "0")
    return found


@pytest.fixture(scope="module", params=["passphrase", "key", "signed"])
def machine(request: pytest.FixtureRequest, service: Service) -> Machine:
    """With a full backup."""
    name = f"robbed-{request.param}"
    if request.param == "passphrase":
        machine = service.machine(name)
    else:
        fingerprint = request.getfixturevalue("fingerprint")
        machine = Machine(name, service.laptops / name, service.gpg)
        machine.source.mkdir(parents=True)
        code = service.admin.call("machine_add", name=name)["code"]
        where = ("enrol", service.stack.api_url, code, "--source", str(machine.source))
        machine.do(*where, "--gpg-key", fingerprint, "--yes")
        if request.param == "signed":
            text = machine.settings.read_text()
            machine.settings.write_text(
                text.replace('# sign_key = "fingerprint"', f'sign_key = "{fingerprint}"')
            )
    (machine.source / "file").write_text("version 1")
    machine.do("backup")
    return machine


@pytest.fixture
def thief(machine: Machine, service: Service) -> Iterator[Thief]:
    secret = json.loads((machine.folder / "config" / "secrets.json").read_text())[f"{machine.name}.secret"]
    with Thief(service.stack.api_url, f"{machine.name}.{secret}") as thief:
        yield thief


def set_names(service: Service, machine: Machine) -> list[str]:
    return sorted((one["set"] for one in service.sets(machine.name)), key=lambda name: name[-16:])


def findings(service: Service, machine: Machine) -> list[dict[str, Any]]:
    found = service.admin.call("findings")["findings"]
    return [one for one in found if one["machine"] == machine.name and one["code"] == "false_proof"]


def test_once_there_was_a_proof_a_set_without_one_is_refused(
    service: Service, machine: Machine, thief: Thief
) -> None:
    service.wait_for_sets(machine.name, 1)
    (full,) = set_names(service, machine)
    time.sleep(1.1)
    false = f"inc.{full.rsplit('.', 1)[-1]}.to.{text_of(datetime.now(timezone.utc))}"
    permit = thief.seal(false, *thief.stored_set(full), None)
    assert permit.error == "proof_missing", permit


def test_old_ciphertext_under_a_name_of_now_is_left_out_and_the_owner_is_warned(
    service: Service, machine: Machine, thief: Thief
) -> None:
    (full,) = [name for name in set_names(service, machine) if name.startswith("full.")]
    false = f"inc.{full.rsplit('.', 1)[-1]}.to.{text_of(datetime.now(timezone.utc))}"
    assert thief.seal(false, *thief.stored_set(full), FALSE).url is not None
    service.wait_for_sets(machine.name, 2)
    time.sleep(1.1)

    (machine.source / "file").write_text("version 2")
    said = machine.do("backup").said
    assert f"the set {false} was not made by this computer" in said
    (finding,) = findings(service, machine)
    assert finding["severity"] == "critical"
    assert f"python -m ops set quarantine {machine.name} system {false}" in finding["commands"]
    newest = max(service.wait_for_sets(machine.name, 3), key=lambda one: str(one["set"])[-16:])["set"]
    assert newest.startswith("full."), "the service takes no second increment on one set"

    service.admin.call("set_quarantine", name=machine.name, job="system", set=false)
    assert findings(service, machine) == []


def test_a_set_of_the_thiefs_own_making_is_left_out_too(
    service: Service, machine: Machine, thief: Thief, tmp_path: Path
) -> None:
    """With the public key he can make sets that open; with a passphrase he has only rubbish."""
    before = {one["set"] for one in service.sets(machine.name)}
    time.sleep(1.1)
    if "encrypt_key" in machine.settings.read_text().replace("# encrypt_key", ""):
        false = seal_own_set(thief, service, tmp_path)
    else:
        false = f"full.{text_of(datetime.now(timezone.utc))}"
        thief.seal(false, [b"rubbish"], b"rubbish", b"rubbish", FALSE)
    service.wait_for_sets(machine.name, len(before) + 1)
    time.sleep(1.1)
    restored = tmp_path / "restored"
    assert false in machine.do("restore", "--to", str(restored)).said, "the set that is left out is named"
    assert (restored / "file").read_text() == "version 2"

    (machine.source / "file").write_text("version 3")
    machine.do("backup")
    service.wait_for_sets(machine.name, len(before) + 2)
    (newest,) = {one["set"] for one in service.sets(machine.name)} - before - {false}
    assert newest.startswith("inc."), "the machine's own chain goes on"
    assert [one["subject"] for one in findings(service, machine)] == [false]


def seal_own_set(thief: Thief, service: Service, folder: Path) -> str:
    """A full backup that somebody makes elsewhere, with the public key alone, and stores by the token."""
    home, evil, target = folder / "gpg", folder / "evil", folder / "target"
    for one in (home, evil, target):
        one.mkdir(mode=0o700)
    (folder / "public").write_text(gpg(service.gpg, "--armor", "--export", ADDRESS))
    gpg(home, "--import", str(folder / "public"))
    (evil / "file").write_text("not what it was")
    subprocess.run(
        [
            str(PROGRAMS / "duplicity"),
            *("full", "--archive-dir", str(folder / "cache"), "--encrypt-key", ADDRESS),
            *("--gpg-options=--always-trust", "--file-prefix-archive=data_"),
            *("--file-prefix-manifest=meta_", "--file-prefix-signature=meta_"),
            *(str(evil), f"file://{target}"),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GNUPGHOME": str(home), "PASSPHRASE": ""},
        check=True,
        capture_output=True,
    )
    found = {kind: next(target.glob(f"*{kind}*")) for kind in ("vol1", "sigtar", "manifest")}
    name = found["manifest"].name.removeprefix("meta_duplicity-").removesuffix(".manifest.gpg")
    volume, signatures, manifest = (found[kind].read_bytes() for kind in ("vol1", "sigtar", "manifest"))
    thief.seal(name, [volume], signatures, manifest, FALSE)
    return name

"""Everything that is typed from a clone to the first laptop's first sealed set, really typed, at two terminals.

What is installed is fetched from where pip finds it, which takes minutes: ``make soak`` runs it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.aws import Aws
from ops.functions.package import PROJECT
from ops.local.ministack import HOST, MiniStack, free_port
from ops.stages import Stage
from tests.terminal import Terminal

MOST_COMMANDS = 5
MOST_ANSWERS = 8
LONGEST_SECONDS = 900
"""Two installations from a registry are among what is waited for."""

HOME = Stage(name="home", account="000000000000", region="us-east-1", sender="", recipients=())


def environment_of_a_person(home: Path) -> dict[str, str]:
    """Nothing of this process's, but where this computer fetches packages, which is no matter of the product's."""
    settings_of_pip = Path.home() / ".config" / "pip" / "pip.conf"
    return {
        "HOME": str(home),
        "PATH": f"{home}/.local/bin:{os.environ['PATH']}",
        **({"PIP_CONFIG_FILE": str(settings_of_pip)} if settings_of_pip.exists() else {}),
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
    }


@pytest.fixture
def home() -> Iterator[Path]:
    """A home folder with pipx and something worth keeping; its path is short, as gpg's sockets need it."""
    folder = Path(tempfile.mkdtemp(prefix="home-"))
    (folder / ".local" / "bin").mkdir(parents=True)
    (folder / ".local" / "bin" / "pipx").symlink_to(Path(sys.executable).with_name("pipx"))
    (folder / "letters").mkdir()
    (folder / "letters" / "ben.txt").write_text("Dear Ben,\n")
    try:
        yield folder
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env=environment_of_a_person(folder), check=False)
        shutil.rmtree(folder)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Every file that git keeps, as it stands here, and nothing else."""
    folder = tmp_path / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.rstrip("\0").split("\0"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, target)
    return folder


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    ministack, port = MiniStack(tmp_path), free_port()
    ministack.start(port, enforce_iam=True)
    try:
        yield Aws(HOME.region, f"http://{HOST}:{port}")
    finally:
        ministack.stop()


@pytest.mark.soak
def test_from_a_clone_to_the_first_sealed_set_are_five_commands_and_eight_answers(
    clone: Path, home: Path, aws: Aws
) -> None:
    person = environment_of_a_person(home)
    owner, laptop = (Terminal(folder, person, LONGEST_SECONDS) for folder in (clone, home))
    try:
        owner.types("make owner")
        said = owner.types(
            f".venv/bin/python -m ops deploy --stage home --endpoint {aws.endpoint}",
            {
                "AWS region": HOME.region,
                "Your mail address": "ada@example.org",
                "What it may cost a month": "5",
                "Your time zone": "Europe/Berlin",
                "Continue?": "y",
            },
        )
        install, enrol, backup = re.findall(r"(?m)^  ((?:pipx|panicroom) .*)$", said)
        laptop.types(install)
        laptop.types(
            enrol,
            {
                "Folder that the job system backs up": str(home / "letters"),
                "Passphrase for the encryption": "a b c",
                "Repeat for confirmation": "a b c",
            },
        )
        laptop.types(backup)
    finally:
        owner.closes()
        laptop.closes()
    keys = [one["Key"] for one in aws.client("s3").list_objects_v2(Bucket=HOME.bucket)["Contents"]]
    [manifest] = [key for key in keys if key.startswith("laptop/system/meta_") and ".manifest" in key]
    print(f"\n{manifest} is in {HOME.bucket}")
    typed, answered = owner.typed + laptop.typed, owner.answered + laptop.answered
    print(f"{len(typed)} commands, {len(answered)} answers:", *typed, answered, sep="\n  ")
    assert len(typed) <= MOST_COMMANDS
    assert len(answered) <= MOST_ANSWERS

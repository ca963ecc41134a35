"""Every command of ``docs/photos.md`` up to the first backup, read from the page and typed at terminals in its order.

The account is the local stack's, so the deploy gets its address; the cloud shell's own packages are there already. All
else is what a photographer types: git clones, make and pipx install, the deploy deploys. That takes minutes: ``make
soak`` runs it. What follows on the page is typed by ``test_documents_typed.py``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ops.aws import Aws
from ops.functions.package import PROJECT
from ops.local.ministack import HOST, MiniStack, free_port
from ops.stages import Stage
from tests.terminal import Terminal
from tools.docs.markdown import Block, documents

ME = "tests/end_to_end/test_photographers_journey.py"
PAGE = Path("docs/photos.md")
CLONED_FROM = "https://example.org/panicroom.git"
REGION = "us-east-1"
BUCKET = Stage(name="home", account="000000000000", region=REGION, sender="", recipients=()).bucket
RESTORE = "panicroom restore wedding/IMG_1.raw --job photos-2018 --to restored"
MOST_COMMANDS = 10
MOST_ANSWERS = 8
LONGEST_SECONDS = 900
"""Installations from a registry are among what is waited for."""

QUESTIONS_OF_THE_DEPLOY = {
    "Your mail address": "ada@example.org",
    "What it may cost a month": "5",
    "Your time zone": "Europe/Berlin",
    "Continue?": "y",
}
FOLDER = "Folder with your pictures"
QUESTIONS_OF_ENROL = {
    FOLDER: "",
    "Passphrase for the encryption": "a b c",
    "Repeat for confirmation": "a b c",
}


def journey() -> list[Block]:
    """The page's blocks that are typed here: the browser's, and the computer's."""
    [page] = [document for document in documents() if document.path == PAGE]
    return [block for block in page.blocks if block.tested_by == ME]


def commands(block: Block) -> list[str]:
    return [line.partition("   #")[0].rstrip() for line in block.text.splitlines()]


@pytest.fixture
def home() -> Iterator[Path]:
    """Short, as gpg's sockets need it, with stand-ins for what the cloud shell has."""
    folder = Path(tempfile.mkdtemp(prefix="home-"))
    programs = folder / ".local" / "bin"
    programs.mkdir(parents=True)
    _script(programs / "sudo", "exit 0")
    _script(programs / "python3.12", f'exec "{sys.executable}" "$@"')
    (programs / "pipx").symlink_to(Path(sys.executable).with_name("pipx"))
    try:
        yield folder
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env={"HOME": str(folder)}, check=False)
        shutil.rmtree(folder)


@pytest.fixture
def person(home: Path, tmp_path: Path) -> Mapping[str, str]:
    """Nothing of this process's but where this computer fetches packages; the page's address leads to these files."""
    settings_of_pip = Path.home() / ".config" / "pip" / "pip.conf"
    return {
        "HOME": str(home),
        "PATH": f"{home}/.local/bin:{os.environ['PATH']}",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{_repository(tmp_path / 'origin')}.insteadOf",
        "GIT_CONFIG_VALUE_0": CLONED_FROM,
        **({"PIP_CONFIG_FILE": str(settings_of_pip)} if settings_of_pip.exists() else {}),
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
    }


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    ministack, port = MiniStack(tmp_path), free_port()
    ministack.start(port, enforce_iam=True)
    try:
        yield Aws(REGION, f"http://{HOST}:{port}")
    finally:
        ministack.stop()


def test_what_is_typed_up_to_the_first_sealed_year_are_at_most_ten_commands() -> None:
    assert sum(len(commands(block)) for block in journey()) <= MOST_COMMANDS


@pytest.mark.soak
def test_from_no_service_to_a_sealed_year_and_a_picture_that_comes_back(
    person: Mapping[str, str], home: Path, aws: Aws
) -> None:
    pictures = home / "Pictures"
    picture = pictures / "2018" / "wedding" / "IMG_1.raw"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(os.urandom(3_000_000))
    in_the_browser, on_the_computer = map(commands, journey())
    region = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    browser = Terminal(home, {**person, **region}, LONGEST_SECONDS)
    computer = Terminal(home, person, LONGEST_SECONDS)
    try:
        for line in in_the_browser[:-1]:
            browser.types(line)
        said = browser.types(f"{in_the_browser[-1]} --endpoint {aws.endpoint}", QUESTIONS_OF_THE_DEPLOY)
        for line in on_the_computer:
            computer.types(*as_printed(line, said, pictures))
        typed = [*browser.typed, *computer.typed]
        computer.types(RESTORE)
    finally:
        browser.closes()
        computer.closes()
    answered = [*browser.answered, *computer.answered]
    print(f"\n{len(typed)} commands, {len(answered)} answers:", *typed, answered, sep="\n  ")
    assert len(typed) <= MOST_COMMANDS
    assert len(answered) <= MOST_ANSWERS
    keys = [one["Key"] for one in aws.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert any(key.startswith("studio/photos-2018/meta_") and ".manifest" in key for key in keys), (
        "a sealed year"
    )
    [restored] = (home / "restored").rglob("IMG_1.raw")
    assert restored.read_bytes() == picture.read_bytes()


def as_printed(line: str, said: str, pictures: Path) -> tuple[str, Mapping[str, str]]:
    """A line of the page as the deploy printed it where the page has ``...``, and what it asks for."""
    if "..." in line:
        program, command, *_ = line.split()
        [line] = re.findall(rf"(?m)^  ({program} {command} .*)$", said)
    return line, QUESTIONS_OF_ENROL | {FOLDER: str(pictures)} if "enrol" in line else {}


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _repository(folder: Path) -> Path:
    """What is checked out here, changes included, as a repository that can be cloned."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.rstrip("\0").split("\0"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, folder / name)
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for words in (("init", "--quiet"), ("add", "--all", "--force"), (*who, "commit", "--quiet", "-m", "All")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder

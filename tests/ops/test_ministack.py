"""Starting, finding and ending MiniStack."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.local.ministack import HOST, MiniStack, answers, free_port


@pytest.fixture
def ministack(tmp_path: Path) -> Iterator[MiniStack]:
    ministack = MiniStack(tmp_path)
    yield ministack
    ministack.stop()


def process_of(folder: Path) -> int:
    return int(json.loads((folder / "ministack.json").read_text())["process"])


def group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_starts_answers_and_leaves_nothing_behind(ministack: MiniStack, tmp_path: Path) -> None:
    port = free_port()
    ministack.start(port)
    process = process_of(tmp_path)
    assert ministack.is_running()
    assert answers(port)
    assert ministack.stop() is True
    assert not ministack.is_running()
    assert not answers(port)
    assert not group_is_alive(process)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ministack.lock", "ministack.log"]


def test_it_listens_on_the_loopback_address_only(ministack: MiniStack) -> None:
    port = free_port()
    ministack.start(port)
    with socket.socket() as probe:
        probe.settimeout(1)
        # Any other address of this machine: the whole of 127/8 is the loopback's, and it took one of it.
        assert probe.connect_ex(("127.0.0.2", port)) != 0


def test_a_taken_port_is_one_clear_sentence(ministack: MiniStack) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OpsError, match=f"Port {port} is taken by another program"):
            ministack.start(port)
    assert not ministack.is_running()


def test_a_stranger_with_its_old_process_number_is_left_alone(ministack: MiniStack, tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        (tmp_path / "ministack.lock").touch()
        record = {"process": stranger.pid, "port": free_port(), "enforces_iam": False}
        (tmp_path / "ministack.json").write_text(json.dumps(record))
        assert ministack.stop() is False
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_another_process_finds_and_ends_it(ministack: MiniStack, tmp_path: Path) -> None:
    ministack.start(free_port())
    program = (
        "import sys, pathlib; from ops.local.ministack import MiniStack;"
        "print(MiniStack(pathlib.Path(sys.argv[1])).stop())"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "True"
    assert not ministack.is_running()


def test_nothing_of_a_persons_environment_reaches_it(
    ministack: MiniStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Linux a process's environment can be read; AWS keys would reach the functions from there."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-real-secret")
    ministack.start(free_port())
    environment = Path(f"/proc/{process_of(tmp_path)}/environ")
    if not environment.exists():  # macOS
        pytest.skip("this system has no /proc")
    assert b"a-real-secret" not in environment.read_bytes()


def test_one_that_was_killed_is_noticed(ministack: MiniStack, tmp_path: Path) -> None:
    ministack.start(free_port())
    os.kill(process_of(tmp_path), 9)
    deadline = time.monotonic() + 5
    while ministack.is_running() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not ministack.is_running()

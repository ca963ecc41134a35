"""The laptop under test: what is left of a story that failed, and that its commands run as typed ones do."""

from __future__ import annotations

import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import loaded_command
import pytest
from laptop import Laptop
from panicroom.exit_codes import ExitCode


def test_a_failed_story_is_kept_whole(laptop: Laptop, tmp_path: Path) -> None:
    """Bucket, cache, source, logs and keys: what it takes to explain a failure that was seen once."""
    (laptop.source / "file").write_text("content")
    os.mkfifo(laptop.source / "fifo")
    laptop.enrol()
    laptop.succeed("backup")
    archive = tmp_path.parent / f"{tmp_path.name}.tar.gz"
    laptop.keep(archive)
    with tarfile.open(archive) as packed:
        names = packed.getnames()
        log = packed.extractfile("laptop/story.log")
        assert log is not None
        assert "panicroom ('backup',): 0\nsystem full: " in log.read().decode()
    assert {"laptop/source/file", "laptop/source/fifo", "laptop/state/panicroom.log", "laptop/runs.json"} <= {
        *names
    }
    bucket = [name.removeprefix("laptop/bucket/system/") for name in names if "/bucket/system/" in name]
    assert sorted(bucket) == laptop.service.names()
    assert any(name.startswith("laptop/cache/archive/laptop.system/meta_") for name in names)
    assert any(name.startswith("gnupg/") for name in names)


def test_a_command_in_a_fork_does_what_a_typed_one_does(laptop: Laptop, tmp_path: Path) -> None:
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    laptop.succeed("backup")
    elsewhere = replace(laptop, folder=tmp_path / "source")
    for words, variables, code in (
        (["files", "--json"], {}, ExitCode.DONE),
        (["versions"], {"TZ": "Asia/Kathmandu"}, ExitCode.DONE),
        (["restore", "--to", "."], {"COLUMNS": "50"}, ExitCode.TARGET),
        (["passphrase", "check"], {"PASSPHRASE": "wrong"}, ExitCode.PASSPHRASE),
    ):
        forked = elsewhere.run(*words, **variables)
        typed = elsewhere.start(*words, **variables)
        assert (forked.stdout, forked.stderr) == typed.communicate(), words
        assert forked.returncode == typed.returncode == code


def test_a_command_in_a_fork_that_goes_on_for_too_long_is_ended(laptop: Laptop) -> None:
    laptop.enrol()
    with laptop.service.lock, pytest.raises(subprocess.TimeoutExpired):
        loaded_command.run([str(laptop.command), "status"], laptop.environment(), None, timeout_seconds=1)

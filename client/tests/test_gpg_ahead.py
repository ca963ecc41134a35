"""The gpg of the next file is at work early, writes where it should, and none is left over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from laptop import PASSPHRASE

PROGRAM = """
import os, pathlib, sys
from panicroom.duplicity_run.speed import gpg_ahead
from duplicity import gpg, log, path
log.setup()
spare = gpg_ahead.install()
profile = gpg.GPGProfile(passphrase=sys.argv[1])
started = []
for name in ("one", "two", "three", "elsewhere/four"):
    if name == "three":
        profile.passphrase = "another"
    file = gpg.GPGFile(True, path.Path(name.encode()), profile)
    started.append(file.gpg_process.pid)
    file.write(name.encode() * 100_000)
    file.close()
    if name == "three":  # as if it were another file system: it cannot be renamed to there
        pathlib.Path.replace = lambda *_names: (_ for _ in ()).throw(OSError("cross-device link"))
assert len(set(started)) == 4
spare.end()
print(spare.times)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("nobody left")
"""


@pytest.fixture
def environment(tmp_path: Path, gnupg: Path) -> dict[str, str]:
    (tmp_path / "elsewhere").mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GNUPGHOME": str(gnupg), "LANG": "C.UTF-8"}


def test_each_file_holds_what_was_written_to_it(tmp_path: Path, environment: dict[str, str]) -> None:
    """Another passphrase, and a file that the process cannot follow, are started anew."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, PASSPHRASE],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout == "1\nnobody left\n", ended.stderr
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "elsewhere/four", "one", "three", "two",
    ]  # fmt: skip
    for name, passphrase in (("one", PASSPHRASE), ("two", PASSPHRASE), ("three", "another")):
        content = subprocess.run(
            ["gpg", "--batch", "--pinentry-mode=loopback", "--passphrase", passphrase, "-d", name],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=True,
        )
        assert content.stdout == name.encode() * 100_000

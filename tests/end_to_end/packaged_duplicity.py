"""duplicity as this computer's distribution packages it, unpacked without being installed: no rights are needed."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.environments import ROOT

FOLDER = Path(ROOT) / "build" / "packaged-duplicity"
PYTHON = Path("/usr/bin/python3")
STARTER = """#!/bin/sh
export PYTHONPATH='{root}/usr/lib/python3/dist-packages' PYTHONNOUSERSITE=1 LD_LIBRARY_PATH='{libraries}'
exec {python} '{root}/usr/bin/duplicity' "$@"
"""


def packaged_duplicity() -> Path | None:
    """A folder with the command ``duplicity``; None where there is no apt. It is fetched once for a clone.

    Skips the test where apt cannot fetch it.
    """
    if shutil.which("apt-get") is None or not PYTHON.exists():
        return None
    FOLDER.parent.mkdir(exist_ok=True)
    with FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        if not FOLDER.exists():
            with tempfile.TemporaryDirectory(dir=FOLDER.parent) as work:
                try:
                    _unpack(Path(work) / "new")
                except subprocess.CalledProcessError as error:
                    said = (str(error.stderr).strip().splitlines() or ["it printed nothing"])[-1]
                    pytest.skip(f"apt cannot fetch duplicity ({said}): the distribution's own was not tried")
                _write_starter(Path(work) / "new")
                (Path(work) / "new").rename(FOLDER)
    return FOLDER / "bin"


def _write_starter(folder: Path) -> None:
    """For the place where ``folder`` is moved to."""
    root = FOLDER / "root"
    starter = folder / "bin" / "duplicity"
    starter.parent.mkdir()
    made = sorted((folder / "root" / "usr" / "lib").glob("*-linux-*"))
    libraries = ":".join(str(root / "usr" / "lib" / path.name) for path in made)
    starter.write_text(STARTER.format(root=root, libraries=libraries, python=PYTHON))
    starter.chmod(0o755)


def _unpack(folder: Path) -> None:
    folder.mkdir()
    options = _own_lists(folder)
    for package in _packages(folder, options):
        _run(["apt-get", *options, "download", package], folder)
    for package_file in sorted(folder.glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package_file), str(folder / "root")], folder)


def _own_lists(folder: Path) -> list[str]:
    """apt's options: none where it knows the package, else lists of our own, which anybody may bring up to date."""
    found = subprocess.run(["apt-cache", "show", "duplicity"], capture_output=True, check=False)
    if found.returncode == 0:
        return []
    lists = folder / "lists"
    (lists / "partial").mkdir(parents=True)
    options = [f"--option=Dir::State::lists={lists}", f"--option=Dir::Cache={folder}"]
    _run(["apt-get", *options, "update"], folder)
    return options


def _packages(folder: Path, options: list[str]) -> Iterator[str]:
    """duplicity and what it needs that is not installed."""
    command = [
        "apt-get",
        *options,
        "install",
        "--simulate",
        "--reinstall",
        "--no-install-recommends",
        "duplicity",
    ]
    yield from re.findall(r"(?m)^Inst (\S+)", _run(command, folder))


def _run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return ended.stdout

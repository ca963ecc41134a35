"""The client as a wheel, built from this clone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ops.environments import ROOT
from ops.errors import OpsError

CLIENT = Path(ROOT) / "client"
BUILT = Path(ROOT) / "build" / "packages"

LOCK = CLIENT / "requirements.txt"
"""Versions and digests of all that the client needs, which ``make lock`` writes."""


def client_digest(client: Path = CLIENT) -> str:
    """Of everything that goes into the wheel, and of what is installed with it."""
    digest = hashlib.sha256()
    files = [client / name for name in ("pyproject.toml", "README.md", LOCK.name)]
    for path in sorted([*files, *(client / "src").rglob("*"), *(client / "share").rglob("*")]):
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path):
            digest.update(str(path.relative_to(client)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def client_version() -> str:
    text = (CLIENT / "src" / "panicroom" / "__init__.py").read_text(encoding="utf-8")
    return text.partition('__version__ = "')[2].partition('"')[0]


def wheel_name() -> str:
    return f"panicroom-{client_version()}-py3-none-any.whl"


def built_wheel() -> Path:
    """The wheel of this clone; of the same files it is built once, and found again in ``BUILT``.

    Raises ``OpsError``.
    """
    folder = BUILT / f"client-{client_digest()}"
    if not folder.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILT) as work:
            wheel = build_wheel(Path(work))
            (Path(work) / "built").mkdir()
            wheel.rename(Path(work) / "built" / wheel.name)
            # Whoever builds the same at the same time comes first or second: both are the same.
            with contextlib.suppress(OSError):
                (Path(work) / "built").rename(folder)
    return folder / wheel_name()


def build_wheel(folder: Path, client: Path = CLIENT) -> Path:
    """The client as a wheel in ``folder``, from a copy: setuptools leaves its workings beside what it builds."""
    source = folder / "source"
    unwanted = shutil.ignore_patterns("build", "tests", "*.egg-info", "__pycache__")
    shutil.copytree(client, source, ignore=unwanted)
    # By the setuptools that is installed here by its digest, and without a network.
    by_what_is_here = ["--no-deps", "--no-index", "--no-build-isolation"]
    command = ["-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", *by_what_is_here]
    run = subprocess.run(
        [sys.executable, *command, "--wheel-dir", str(folder), str(source)],
        # The same wheel from the same files, whenever they were written.
        env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"},
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if run.returncode != 0 or not wheels:
        last_words = (run.stderr.strip().splitlines() or ["pip printed nothing"])[-1]
        raise OpsError(f"The client's wheel could not be built: {last_words}")
    return wheels[0]

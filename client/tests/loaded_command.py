"""Runs ``panicroom`` in a fork of a process that has imported it: the imports take longer than most commands.

Each run is a process of its own, as one that is typed: arguments, environment, folder, session and exit code.
duplicity is started by it as always. What acts on a starting Python or on its loader has no effect here.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_START = ("PYTHON", "LANG", "LC_", "LD_")
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["panicroom.cli", "panicroom.backup.run", "panicroom.restore.run", "panicroom.recovery.run"]
)


def fits(variables: dict[str, str]) -> bool:
    """Whether a run with these variables beside the usual ones is the same as one that is typed."""
    return not any(name.startswith(_START) for name in variables)


def run(
    words: list[str], environment: dict[str, str], folder: Path | None, timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    """``words``: the command and its arguments. Raises ``TimeoutExpired``, with the command ended."""
    with tempfile.TemporaryDirectory() as written:
        files = [Path(written, name) for name in ("out", "err")]
        process = _context.Process(target=_type, args=(words, environment, folder or Path.cwd(), files))
        process.start()
        process.join(timeout_seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, timeout_seconds)
        out, err = (file.read_text() for file in files)
    return subprocess.CompletedProcess(words, process.exitcode, out, err)


def _type(words: list[str], environment: dict[str, str], folder: Path, files: list[Path]) -> None:
    os.setsid()
    for number, path in enumerate([Path(os.devnull), *files]):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = words
    from panicroom.__main__ import main

    main()

"""What the search for changes costs where nothing has changed: 10,000 files, with and without it.

Real duplicity on a local folder, unencrypted, so that nothing else takes time; each row is the median of three
increments, taken in turn. The files are older than the set before, as almost all files of a laptop are.

    python -m bench.unchanged with|without FOLDER        one increment in FOLDER
"""

from __future__ import annotations

import importlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from bench import processes

FILES = 10_000
ROUNDS = 3
MOST_RATIO = 1.1


def run(console: Console) -> list[str]:
    """Shows both rows; answers with the budget if it was missed."""
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _make_files(work / "source")
        time.sleep(1.1)  # older than the set, in whole seconds
        _increment("without", work)
        for _ in range(ROUNDS):
            for way, taken in seconds.items():
                taken.append(_increment(way, work).cpu_seconds)
    without, searched = (statistics.median(seconds[way]) for way in ("without", "with"))
    ratio = searched / without
    console.print(
        f"nothing changed, {FILES:,} files: {searched:.2f} s of CPU with the search, {without:.2f} s without"
    )
    return [f"the search takes {ratio:.2f} times as long, at most {MOST_RATIO}"] if ratio > MOST_RATIO else []


def _make_files(source: Path) -> None:
    for number in range(FILES):
        path = source / f"{number // 100:03}" / f"{number:05}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(400 + number % 3600))


def _increment(way: str, work: Path) -> processes.Cost:
    command = [sys.executable, "-m", "bench.unchanged", way, str(work)]
    return processes.run(command, {**os.environ, "HOME": str(work)})


def _run_duplicity(way: str, work: Path) -> None:
    from duplicity import __main__ as duplicity_main
    from duplicity import backend, dup_time
    from panicroom.duplicity_run.child.every_change import EveryChange
    from panicroom.duplicity_run.file_identity import ChangeRule

    def unreadable(_path: object, error: OSError) -> None:
        raise error

    backend.import_backends = lambda: None
    importlib.import_module("duplicity.backends.localbackend")  # registers itself
    if way == "with":
        EveryChange(lambda: ChangeRule(float(dup_time.prevtime), time.time()), unreadable).install()
    kind = "incremental" if (work / "target").exists() else "full"
    options = ["--no-encryption", "--archive-dir", str(work / "archive"), "--no-print-statistics", "-v1"]
    sys.argv = ["duplicity", kind, *options, str(work / "source"), f"file://{work}/target"]
    duplicity_main.dup_run()


if __name__ == "__main__":
    _run_duplicity(sys.argv[1], Path(sys.argv[2]))

"""What a command costs: its time, its processors' time, and the memory of all its processes together."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_LOOK_SECONDS = 0.1
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True)
class Cost:
    """``peak_mb`` is zero where there is no /proc to read it from."""

    seconds: float
    cpu_seconds: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s ({self.cpu_seconds:.1f} s of CPU, {self.peak_mb:.0f} MB)"


def run(command: list[str], environment: dict[str, str], watch: Callable[[], None] = lambda: None) -> Cost:
    """Runs it to its end; ``watch`` is called ten times a second meanwhile. ``RuntimeError`` if it fails."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        over = threading.Event()
        peaks = [0.0]

        def look() -> None:
            while not over.wait(_LOOK_SECONDS):
                peaks.append(_memory_mb(process.pid))
                watch()

        watcher = threading.Thread(target=look)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        over.set()
        watcher.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            text = said.read().decode(errors="replace")[-1000:]
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {text}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, max(peaks))


def _memory_mb(root: int) -> float:
    """Of the process and all that descend from it; pages that several of them share count several times."""
    parents: dict[int, int] = {}
    pages: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which may hold anything: state, parent ...
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            pages[int(folder.name)] = int((folder / "statm").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            continue  # ended meanwhile

    def descends(pid: int) -> bool:
        while pid in parents and pid != root:
            pid = parents[pid]
        return pid == root

    return sum(size for pid, size in pages.items() if descends(pid)) * _PAGE_MB

"""What a function's cold start loads: ``import app`` beside ``import boto3`` alone, in CPU time of fresh processes.

The two take turns, so that whatever else the machine does slows both; the medians are compared.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from rich.console import Console

from ops.functions.package import PROJECT

ROUNDS = 15
MOST_TIMES = 1.5
"""Of boto3's own, which every function in Python that calls AWS has to load."""


def run(console: Console) -> list[str]:
    """Shows both medians; answers with the budget that is missed."""
    seconds: dict[str, list[float]] = {"boto3": [], "app": []}
    for module in seconds:
        _cpu_seconds(module)  # leaves the byte code behind
    for _ in range(ROUNDS):
        for module, taken in seconds.items():
            taken.append(_cpu_seconds(module))
    alone, whole = (statistics.median(seconds[module]) for module in ("boto3", "app"))
    ratio = whole / alone
    console.print(
        f"import boto3 {alone:.3f} s, import app {whole:.3f} s: {ratio:.2f} times (budget {MOST_TIMES})"
    )
    return (
        [] if ratio <= MOST_TIMES else [f"import app takes {ratio:.2f} times import boto3, not {MOST_TIMES}"]
    )


def _cpu_seconds(module: str) -> float:
    code = f"import {module}, time; print(time.process_time())"
    environment = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": str(PROJECT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling is none of what is compared
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return float(ran.stdout)

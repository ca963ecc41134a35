"""``python -m ops`` as a process: Ctrl-C while it loads, and an output that takes nothing more."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")

INTERRUPTED_WHILE_IT_LOADS = """
import os, runpy, signal, sys

class Loading:
    def find_spec(self, name, *_):
        if name == "ops.cli":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Loading())
runpy.run_module("ops", run_name="__main__")
"""


def test_ctrl_c_while_the_commands_load_ends_it_without_a_word() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_IT_LOADS], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "")


@pytest.mark.skipif(not FULL.exists(), reason="Linux has a file that is always full")
def test_an_output_that_is_full_is_said_in_one_line() -> None:
    with FULL.open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "ops", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == "Reading or writing failed: No space left on device.\n"

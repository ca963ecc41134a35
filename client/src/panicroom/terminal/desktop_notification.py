"""A notice on the desktop when a scheduled backup fails. Best effort: a notice must never be what fails."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import subprocess
import sys

from panicroom.exit_codes import ExitCode, Problem

_SECONDS = 10


def notice_command(platform: str, title: str, text: str) -> list[str]:
    """The command that shows it. On a Mac title and text travel as arguments, so that no quotation mark in
    them can become a part of the script."""
    if platform == "darwin":
        script = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run"
        return ["osascript", "-e", script, title, text]
    return ["notify-send", "--app-name=panicroom", "--icon=dialog-warning", "--", title, text]


def show_notice(title: str, text: str) -> bool:
    """Shows it; False where there is no desktop, or nothing to show it with."""
    try:
        ended = subprocess.run(
            notice_command(sys.platform, title, text), capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0


def notify_failure(job: str, problem: Problem) -> None:
    """Shows a failure that somebody has to repair; being offline or interrupted is none."""
    if problem.exit_code not in (ExitCode.TRY_LATER, ExitCode.INTERRUPTED):
        show_notice(f"The backup of {job} failed", str(problem))

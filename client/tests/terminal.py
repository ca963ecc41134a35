"""Commands as somebody types them in a terminal of some width."""

from __future__ import annotations

import io
import re
import signal
from collections.abc import Sequence

import pexpect
from laptop import Laptop


def typed(laptop: Laptop, columns: int, arguments: Sequence[str], answers: Sequence[str]) -> tuple[int, str]:
    """The command in a terminal; each answer is typed when a question stands there. Exit code and what was shown."""
    shown = io.BytesIO()
    command = pexpect.spawn(
        str(laptop.command),
        [*arguments],
        env=laptop.environment(TERM="xterm-256color"),
        cwd=laptop.folder,
        dimensions=(40, columns),
        timeout=180,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    command.logfile_read = shown
    for answer in answers:
        command.expect(rb"\S: $")
        command.sendline(answer)
    command.expect(pexpect.EOF)
    command.close()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue().decode()).replace("\r", "\n")
    return command.exitstatus, text

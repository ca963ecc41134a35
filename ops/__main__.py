"""``python -m ops``: the one place where an expected failure becomes one line and an exit code."""

from __future__ import annotations

import signal
import sys

_on_ctrl_c = signal.getsignal(signal.SIGINT)
if _on_ctrl_c is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the commands take a moment to load

try:
    from ops.cli import commands
    from ops.errors import OpsError
except ModuleNotFoundError as missing:
    sys.exit(
        f"{missing.name} is not installed for {sys.executable}: type `make install` (or `make owner`) once, and"
        " `.venv/bin/python -m ops`, or `source .venv/bin/activate` before it."
    )


def main() -> None:
    """Runs the command that was typed; exit code 1 for a failure, click's own 2 for a wrong use."""
    signal.signal(signal.SIGINT, _on_ctrl_c)
    try:
        commands(prog_name="python -m ops")
    except OpsError as error:
        sys.exit(str(error))
    except OSError as error:
        what = f" of {error.filename}" if error.filename else ""
        sys.exit(f"Reading or writing{what} failed: {error.strerror or error}.")


if __name__ == "__main__":
    main()

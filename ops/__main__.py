"""``python -m ops``: the one place where an expected failure becomes one line and an exit code."""

from __future__ import annotations

import sys

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
    try:
        commands(prog_name="python -m ops")
    except OpsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

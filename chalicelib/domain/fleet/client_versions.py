"""Versions of the client: which a machine has, as its requests say, and in which order they came out."""

from __future__ import annotations

import re
from collections.abc import Iterable

PATTERN = "[0-9]{1,4}[.][0-9]{1,4}[.][0-9]{1,4}"
_AGENT = re.compile(f"panicroom/({PATTERN})")


def is_version(text: str) -> bool:
    return re.fullmatch(PATTERN, text) is not None


def version_of_agent(agent: str) -> str | None:
    """``0.2.0`` of ``panicroom/0.2.0``. Anybody can send anything: it is good for showing, and for nothing else."""
    found = _AGENT.fullmatch(agent)
    return found[1] if found else None


def newest_first(versions: Iterable[str]) -> list[str]:
    """Those of them that are versions."""
    return sorted(filter(is_version, versions), key=_numbers, reverse=True)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))

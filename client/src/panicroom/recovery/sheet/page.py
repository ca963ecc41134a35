"""What is on a recovery sheet, however it is written: headings, facts, blanks, steps and lines to type. Pure data."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """A name and its value, None for a blank to write on. ``note``: a sentence below it. ``typed``: the value is copied
    letter by letter one day. ``short``: it stands in a line with others where there is room."""

    name: str
    value: str | None
    note: str | None = None
    typed: bool = False
    short: bool = False


@dataclass(frozen=True)
class Step:
    """One thing to do: a sentence, and the lines that are typed for it. ``after``: what is to know of them."""

    text: str
    lines: tuple[str, ...] = ()
    after: str | None = None


@dataclass(frozen=True)
class Way:
    """One way back. ``facts``: what it needs, how long it takes, what it costs."""

    title: str
    facts: tuple[Fact, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Group:
    """Facts that belong together."""

    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Page:
    """A sheet. ``scanned`` is what its QR code says, None where it has none."""

    machine: str
    printed: str
    opening: str
    groups: tuple[Group, ...]
    ways: tuple[Way, ...]
    scanned: str | None = None

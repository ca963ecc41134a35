"""What is written in the settings file, understood: its tables, and the values in them."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from panicroom.exit_codes import ExitCode, Problem

Parsed = TypeVar("Parsed")

SETTING_NAMES: dict[str, tuple[str, ...]] = {
    "service": ("url", "machine", "secrets", "reader"),
    "encryption": ("encrypt_key", "sign_key"),
    "upload": ("volume_mb", "upload_threads", "max_upload_rate", "compress", "speed_up"),
    "hooks": ("before", "after", "failed", "ping_url"),
    "schedule": ("on_battery", "on_metered"),
    "jobs.NAME": (
        "source",
        "filelist",
        "full_every",
        "full_when",
        "other_filesystems",
        "device_files",
        "check_change_time",
        "family",
        "volume_mb",
    ),
    "families.NAME": ("source",),
}
"""Every table of panicroom.toml and the settings in it; a name that is not here is refused."""


class SettingTable:
    """One table of the file. Each method returns a setting's value or raises a Problem that names it."""

    def __init__(
        self,
        data: dict[str, Any],
        name: str,
        path: Path,
        heading: str | None = None,
        known: Collection[str] | None = None,
    ) -> None:
        self._heading, self._path = heading or name, path
        values = data.get(name, {})
        if not isinstance(values, dict):
            raise Problem(f"{path}: [{self._heading}] must be a table", ExitCode.SETTINGS)
        self._values = values
        check_names(self._heading, values, SETTING_NAMES[name] if known is None else known, path)

    def problem(self, name: str, text: str) -> Problem:
        return Problem(f"{self._path}: [{self._heading}] {name} {text}", ExitCode.SETTINGS)

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is not None and (not isinstance(value, str) or not value or "\0" in value):
            raise self.problem(name, "must be a text in quotation marks")
        return value

    def number(self, name: str, usual: int, largest: int) -> int:
        value = self._values.get(name, usual)
        if type(value) is not int or not 1 <= value <= largest:
            raise self.problem(name, f"must be a whole number between 1 and {largest}")
        return int(value)

    def optional_number(self, name: str, largest: int) -> int | None:
        return self.number(name, 1, largest) if name in self._values else None

    def flag(self, name: str, usual: bool) -> bool:
        value = self._values.get(name, usual)
        if not isinstance(value, bool):
            raise self.problem(name, "must be true or false")
        return value

    def choice(self, name: str, choices: Collection[str], usual: str) -> Any:
        value = self.text(name) or usual
        if value not in choices:
            quoted = [f'"{choice}"' for choice in choices]
            raise self.problem(name, f"must be {', '.join(quoted[:-1])} or {quoted[-1]}")
        return value

    def parsed(
        self, name: str, parse: Callable[[str], Parsed | None], usual: Parsed | None = None
    ) -> Parsed | None:
        value = self.text(name)
        if value is None:
            return usual
        try:
            return parse(value)
        except ValueError as error:
            raise self.problem(name, str(error)) from None


def check_names(heading: str, values: dict[str, Any], known: Collection[str], path: Path) -> None:
    """A Problem at the first name that is not known, with the nearest one: a misspelt setting has no effect."""
    for name in values:
        if name in known:
            continue
        table = f"[{heading}] " if heading else ""
        near = difflib.get_close_matches(name, known, n=1)
        advice = f"is it {near[0]}?" if near else f"known are: {', '.join(sorted(known))}"
        raise Problem(f"{path}: {table}{name!r} is no setting; {advice}", ExitCode.SETTINGS)


NEVER = "never"
"""For ``full_every`` and ``full_when``."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check_url(url: str) -> str:
    """``url`` without a trailing slash; a Problem unless it is https, or http on this very machine."""
    try:
        parts = urlsplit(url)
        host, secret = parts.hostname, parts.username or parts.password
    except ValueError:
        host = secret = None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)):
        raise Problem(f"{url!r} is no service URL: it must begin with https://", ExitCode.USAGE)
    if secret or parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise Problem(f"{url!r} is no service URL: give only https://, the host and the path", ExitCode.USAGE)
    return url.rstrip("/")


def parse_fingerprint(text: str) -> str:
    """A fingerprint, however it is spaced; a short id could name somebody else's key as well."""
    bare = re.sub(r"\s", "", text)
    if not re.fullmatch(r"(?:0x)?[0-9A-Fa-f]{40}", bare):
        raise ValueError("must be a fingerprint of 40 digits; see: gpg --list-keys --fingerprint")
    return bare.upper().removeprefix("0X")


def parse_ping_url(text: str) -> str:
    try:
        return check_url(text)
    except Problem:
        raise ValueError("must be a URL that begins with https://") from None


_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_PERIOD = re.compile(r"([1-9]\d{0,4})([dwmy])", re.IGNORECASE)


def parse_period(text: str) -> timedelta | None:
    """``90D``, ``12W``, ``3M`` (months of 30 days) or ``1Y`` (of 365 days); None for ``never``.

    The letters are those of ``--time``. Small ones do as well: minutes make no sense here.
    """
    if text == NEVER:
        return None
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise ValueError(
            f'must be "never", or a period such as "90D", "12W", "6M" (months) or "1Y", not {text!r}'
        )
    return timedelta(days=int(match[1]) * _DAYS[match[2].lower()])


FULL_WHEN_USUAL = "2x"
"""A new full backup when the chain is this many times the source: within 10 % of the cheapest calendar at any
rate of change (docs/decisions/0100)."""


def usual_full_when(job: str) -> str:
    """The setting where it is not given. Photos are added and rarely changed: uploading them again gains nothing."""
    return NEVER if job == "photos" or job.startswith("photos-") else FULL_WHEN_USUAL


def parse_multiple(text: str) -> float | None:
    """``2x`` or ``1.5x`` (at least 1.1); None for ``never``."""
    if text == NEVER:
        return None
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,2})?)x", text, re.ASCII)
    if match is None or float(match[1]) < 1.1:
        raise ValueError(
            f'must be "never", or how many times the source the chain may grow to, such as "2x", not {text!r}'
        )
    return float(match[1])


SLOWEST_RATE = 16 * 1024
"""Bytes a second. A volume of 25 MB takes half an hour then, and the lease is kept alive all the while."""

_UNITS = {"KB": 2**10, "MB": 2**20, "GB": 2**30}


def parse_rate(text: str) -> int:
    """Bytes a second, of ``500KB`` or ``1.5 MB``; ``ValueError`` with what is wrong."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?([KMG]B)", text.strip(), re.ASCII)
    if match is None:
        raise ValueError('must be an amount each second, such as "500KB" or "2MB"')
    rate = int(float(match.group(1)) * _UNITS[match.group(2)])
    if rate < SLOWEST_RATE:
        raise ValueError("must be at least 16KB")
    return rate

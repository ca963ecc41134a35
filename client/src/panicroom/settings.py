"""The settings file, checked, and the folders of the client on this machine.

``PANICROOM_CONFIG_DIR``, ``PANICROOM_STATE_DIR`` and ``PANICROOM_CACHE_DIR`` override the platform's
folders: for tests, for servers, and for several machines on one host. settings_file.py writes the file.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args
from urllib.parse import urlsplit

import platformdirs

from panicroom.exit_codes import ExitCode, Problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MACHINE_OR_JOB = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")

SETTING_NAMES: dict[str, tuple[str, ...]] = {
    "service": ("url", "machine", "secrets"),
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
    ),
}
"""Every table of panicroom.toml and the settings in it; a name that is not here is refused."""

Compress = Literal["auto", "always", "never"]
"""The setting ``compress``."""

NEVER = "never"
"""For ``full_every`` and ``full_when``."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Places:
    """The folders of this client: settings, what must survive (state), what can be made again (cache)."""

    config: Path
    state: Path
    cache: Path

    @property
    def settings_file(self) -> Path:
        return self.config / "panicroom.toml"

    @property
    def log_file(self) -> Path:
        return self.state / "panicroom.log"


SYSTEM_PLACES = Places(Path("/etc/panicroom"), Path("/var/lib/panicroom"), Path("/var/cache/panicroom"))
"""The folders of a server's own backups: for root, and for ``schedule install --system``."""


def places() -> Places:
    """The folders, from the environment or the platform's custom; nothing is created.

    For root those are the system's own, once /etc/panicroom exists.
    """
    usual = Places(
        config=Path(platformdirs.user_config_dir("panicroom")),
        state=Path(platformdirs.user_state_dir("panicroom")),
        cache=Path(platformdirs.user_cache_dir("panicroom")),
    )
    if os.geteuid() == 0 and SYSTEM_PLACES.config.is_dir():
        usual = SYSTEM_PLACES

    def place(variable: str, otherwise: Path) -> Path:
        return Path(os.path.abspath(os.environ.get(variable) or otherwise))  # noqa: PTH100

    return Places(
        config=place("PANICROOM_CONFIG_DIR", usual.config),
        state=place("PANICROOM_STATE_DIR", usual.state),
        cache=place("PANICROOM_CACHE_DIR", usual.cache),
    )


@dataclass(frozen=True)
class JobSettings:
    """One job. ``filelist``: the file of include and exclude lines. ``full_every``: the greatest age of a full
    backup (None: no limit). ``full_when``: a new full backup when the chain's stored bytes reach this many times
    the source's (None: never for that reason). ``check_change_time``: whether files are read again whose change time
    alone says that they may have changed."""

    job: str
    source: Path
    filelist: Path | None = None
    full_every: timedelta | None = None
    full_when: float | None = None
    other_filesystems: bool = True
    device_files: bool = True
    check_change_time: bool = True


@dataclass(frozen=True)
class Hooks:
    """Commands of the user's around a backup, and a monitor's URL that is called at start and end."""

    before: str | None = None
    after: str | None = None
    failed: str | None = None
    ping_url: str | None = None


@dataclass(frozen=True)
class Settings:
    """All of panicroom.toml, checked. ``max_upload_rate`` is in bytes a second."""

    url: str
    machine: str
    secrets: str
    volume_mb: int
    upload_threads: int
    jobs: tuple[JobSettings, ...]
    places: Places
    encrypt_key: str | None = None
    sign_key: str | None = None
    max_upload_rate: int | None = None
    compress: Compress = "auto"
    speed_up: bool = True
    hooks: Hooks = field(default_factory=Hooks)
    on_battery: bool = False
    on_metered: bool = False

    def job_named(self, name: str) -> JobSettings:
        """The job, or a Problem that lists those there are."""
        for job in self.jobs:
            if job.job == name:
                return job
        known = ", ".join(job.job for job in self.jobs)
        raise Problem(f"there is no job {name!r} on this machine; its jobs are: {known}", ExitCode.SETTINGS)

    @property
    def archives(self) -> Path:
        """The parent of duplicity's folders of signatures and manifests, one a job."""
        return self.places.cache / "archive"

    def archive(self, job: str) -> Path:
        """duplicity's folder of this job's signatures and manifests."""
        return self.archives / self.archive_name(job)

    def archive_name(self, job: str) -> str:
        return f"{self.machine}.{job}"  # a dot occurs in no name, so two pairs never meet

    def job_state(self, job: str) -> Path:
        """Lock, journal and run of a job."""
        return self.places.state / self.machine / job

    def job_cache(self, job: str) -> Path:
        """Volumes being made (``tmp``) and being sent (``spool``): one file system, for hard links."""
        return self.places.cache / "work" / self.archive_name(job)


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


def load_settings() -> Settings:
    """Reads panicroom.toml; a Problem names the line or the setting that is wrong."""
    where = places()
    path = where.settings_file
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise Problem(
            "this machine is not enrolled; run: panicroom enrol URL CODE", ExitCode.SETTINGS
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"{path} cannot be read: {error}", ExitCode.SETTINGS) from None
    return _settings(data, where)


def _settings(data: dict[str, Any], where: Places) -> Settings:
    path = where.settings_file
    _check_names("", data, {name.split(".")[0] for name in SETTING_NAMES}, path)
    service, upload = _Table(data, "service", path), _Table(data, "upload", path)
    encryption, schedule = _Table(data, "encryption", path), _Table(data, "schedule", path)
    return Settings(
        url=_service_url(service),
        machine=_machine(service),
        secrets=service.choice("secrets", ("keyring", "file"), "file"),
        volume_mb=upload.number("volume_mb", 25, 4096),
        upload_threads=upload.number("upload_threads", 12, 32),
        max_upload_rate=upload.parsed("max_upload_rate", parse_rate),
        compress=upload.choice("compress", get_args(Compress), "auto"),
        speed_up=upload.flag("speed_up", True),
        jobs=_jobs(data, where),
        places=where,
        encrypt_key=encryption.parsed("encrypt_key", _fingerprint),
        sign_key=encryption.parsed("sign_key", _fingerprint),
        hooks=_hooks(_Table(data, "hooks", path)),
        on_battery=schedule.flag("on_battery", False),
        on_metered=schedule.flag("on_metered", False),
    )


def _jobs(data: dict[str, Any], where: Places) -> tuple[JobSettings, ...]:
    path = where.settings_file
    tables = data.get("jobs", {})
    if not isinstance(tables, dict) or not tables:
        raise Problem(f"{path}: there is no job; add a table [jobs.system]", ExitCode.SETTINGS)
    for name in tables:
        if not MACHINE_OR_JOB.fullmatch(name):
            raise Problem(f"{path}: {name!r} is no name of a job", ExitCode.SETTINGS)
    return tuple(
        _job(name, _Table(tables, name, path, f"jobs.{name}", SETTING_NAMES["jobs.NAME"]), where.config)
        for name in tables
    )


def _job(name: str, table: _Table, config: Path) -> JobSettings:
    filelist = table.text("filelist")
    source = table.text("source")
    if source is None:
        raise table.problem("source", "is missing: the folder to back up")
    folder = Path(source).expanduser()
    if not folder.is_absolute():
        raise table.problem("source", 'must be a full path, such as "/home/anna"')
    return JobSettings(
        job=name,
        source=folder,
        filelist=config / Path(filelist).expanduser() if filelist else None,
        full_every=table.parsed("full_every", parse_period),
        full_when=table.parsed("full_when", parse_multiple, parse_multiple(usual_full_when(name))),
        other_filesystems=table.flag("other_filesystems", True),
        device_files=table.flag("device_files", True),
        check_change_time=table.flag("check_change_time", True),
    )


def _hooks(table: _Table) -> Hooks:
    return Hooks(
        before=table.text("before"),
        after=table.text("after"),
        failed=table.text("failed"),
        ping_url=table.parsed("ping_url", _ping_url),
    )


def _machine(service: _Table) -> str:
    machine = service.text("machine") or ""
    if not MACHINE_OR_JOB.fullmatch(machine):
        raise service.problem("machine", f"{machine!r} is no name of a machine")
    return machine


def _service_url(service: _Table) -> str:
    url = service.text("url")
    if url is None:
        raise service.problem("url", "is missing: the service's address")
    try:
        return check_url(url)
    except Problem as problem:
        raise service.problem("url", str(problem)) from None


Parsed = TypeVar("Parsed")


class _Table:
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
        _check_names(self._heading, values, SETTING_NAMES[name] if known is None else known, path)

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


def _check_names(heading: str, values: dict[str, Any], known: Collection[str], path: Path) -> None:
    """A Problem at the first name that is not known, with the nearest one: a misspelt setting has no effect."""
    for name in values:
        if name in known:
            continue
        table = f"[{heading}] " if heading else ""
        near = difflib.get_close_matches(name, known, n=1)
        advice = f"is it {near[0]}?" if near else f"known are: {', '.join(sorted(known))}"
        raise Problem(f"{path}: {table}{name!r} is no setting; {advice}", ExitCode.SETTINGS)


def _fingerprint(text: str) -> str:
    """A fingerprint, however it is spaced; a short id could name somebody else's key as well."""
    bare = re.sub(r"\s", "", text)
    if not re.fullmatch(r"(?:0x)?[0-9A-Fa-f]{40}", bare):
        raise ValueError("must be a fingerprint of 40 digits; see: gpg --list-keys --fingerprint")
    return bare.upper().removeprefix("0X")


def _ping_url(text: str) -> str:
    try:
        return check_url(text)
    except Problem:
        raise ValueError("must be a URL that begins with https://") from None


_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_PERIOD = re.compile(r"([1-9]\d{0,4})([dwmy])", re.IGNORECASE)


def parse_period(text: str) -> timedelta | None:
    """``90d``, ``12w``, ``3m`` (months of 30 days) or ``1y`` (of 365 days); None for ``never``."""
    if text == NEVER:
        return None
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise ValueError(
            f'must be "never", or a period such as "90d", "12w", "6m" (months) or "1y", not {text!r}'
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

"""The settings file, checked. setup/settings_file.py writes it."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from panicroom.exit_codes import ExitCode, Problem
from panicroom.places import Places, places
from panicroom.setting_values import (
    SETTING_NAMES,
    SettingTable,
    check_names,
    check_url,
    parse_fingerprint,
    parse_multiple,
    parse_period,
    parse_ping_url,
    parse_rate,
    usual_full_when,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MACHINE_OR_JOB = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")

Compress = Literal["auto", "always", "never"]
"""The setting ``compress``."""


@dataclass(frozen=True)
class JobSettings:
    """One job. ``folder``: what it backs up; None where this computer only reads and has not restored it.
    ``filelist``: the file of include and exclude lines. ``full_every``: the greatest age of a full backup (None: no
    limit). ``full_when``: a new full backup when the chain's stored bytes reach this many times the source's (None:
    never for that reason). ``check_change_time``: whether files are read again whose change time alone says that they
    may have changed. ``family``: the family of photo jobs that it belongs to. ``volume_mb``: MB a volume, None as for
    all jobs."""

    job: str
    folder: Path | None
    filelist: Path | None = None
    full_every: timedelta | None = None
    full_when: float | None = None
    other_filesystems: bool = True
    device_files: bool = True
    check_change_time: bool = True
    family: str | None = None
    volume_mb: int | None = None

    @property
    def source(self) -> Path:
        """The folder; a Problem where there is none."""
        if self.folder is None:
            raise Problem(
                f"the job {self.job} has no folder on this computer yet, which only reads; run: panicroom recover",
                ExitCode.SETTINGS,
            )
        return self.folder


@dataclass(frozen=True)
class FamilySettings:
    """A family of photo jobs: ``folder`` has the pictures, and its folders become jobs of their own; None as there."""

    family: str
    folder: Path | None

    @property
    def source(self) -> Path:
        """The folder; a Problem where there is none."""
        if self.folder is None:
            raise Problem(
                f"the pictures of {self.family} have no folder on this computer yet, which only reads; run: panicroom "
                "recover",
                ExitCode.SETTINGS,
            )
        return self.folder


@dataclass(frozen=True)
class Hooks:
    """Commands of the user's around a backup, and a monitor's URL that is called at start and end."""

    before: str | None = None
    after: str | None = None
    failed: str | None = None
    ping_url: str | None = None


@dataclass(frozen=True)
class Settings:
    """All of panicroom.toml, checked. ``max_upload_rate`` is in bytes a second. ``reader``: the token is a recovery
    code's, and this computer makes no backups."""

    url: str
    machine: str
    secrets: str
    volume_mb: int
    upload_threads: int
    jobs: tuple[JobSettings, ...]
    places: Places
    families: tuple[FamilySettings, ...] = ()
    encrypt_key: str | None = None
    sign_key: str | None = None
    max_upload_rate: int | None = None
    compress: Compress = "auto"
    speed_up: bool = True
    hooks: Hooks = field(default_factory=Hooks)
    on_battery: bool = False
    on_metered: bool = False
    reader: bool = False

    def refuse_reader(self) -> None:
        """Raises a ``Problem`` where this computer makes no backups."""
        if self.reader:
            raise Problem(
                f"this computer reads the backups of {self.machine} by a recovery code, and makes none; to back up "
                f"from here, get a code from the owner of the service (python -m ops machine add {self.machine}), then "
                f"run: panicroom enrol {self.url} CODE",
                ExitCode.SETTINGS,
            )

    def job_named(self, name: str) -> JobSettings:
        """The job, or a Problem that lists those there are."""
        for job in self.jobs:
            if job.job == name:
                return job
        known = ", ".join(job.job for job in self.jobs)
        raise Problem(f"there is no job {name!r} on this machine; its jobs are: {known}", ExitCode.SETTINGS)

    def volume_mb_of(self, name: str) -> int:
        """MB a volume of that job, of whatever job where it has none of its own."""
        own = next((job.volume_mb for job in self.jobs if job.job == name), None)
        return own or self.volume_mb

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


def load_settings() -> Settings:
    """Reads panicroom.toml; a Problem names the line or the setting that is wrong."""
    where = places()
    path = where.settings_file
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise Problem(
            "this machine is not enrolled; run: panicroom enrol URL CODE, or with a recovery sheet: panicroom recover",
            ExitCode.SETTINGS,
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"{path} cannot be read: {error}", ExitCode.SETTINGS) from None
    return _settings(data, where)


def _settings(data: dict[str, Any], where: Places) -> Settings:
    path = where.settings_file
    check_names("", data, {name.split(".")[0] for name in SETTING_NAMES}, path)
    service, upload = SettingTable(data, "service", path), SettingTable(data, "upload", path)
    encryption, schedule = SettingTable(data, "encryption", path), SettingTable(data, "schedule", path)
    return Settings(
        url=_service_url(service),
        machine=_machine(service),
        secrets=service.choice("secrets", ("keyring", "file"), "file"),
        volume_mb=upload.number("volume_mb", 25, 4096),
        upload_threads=upload.number("upload_threads", 12, 32),
        max_upload_rate=upload.parsed("max_upload_rate", parse_rate),
        compress=upload.choice("compress", get_args(Compress), "auto"),
        speed_up=upload.flag("speed_up", True),
        jobs=_jobs(data, where, reader=service.flag("reader", False)),
        families=_families(data, path, reader=service.flag("reader", False)),
        places=where,
        encrypt_key=encryption.parsed("encrypt_key", parse_fingerprint),
        sign_key=encryption.parsed("sign_key", parse_fingerprint),
        hooks=_hooks(SettingTable(data, "hooks", path)),
        on_battery=schedule.flag("on_battery", False),
        on_metered=schedule.flag("on_metered", False),
        reader=service.flag("reader", False),
    )


def _jobs(data: dict[str, Any], where: Places, *, reader: bool) -> tuple[JobSettings, ...]:
    path = where.settings_file
    tables = data.get("jobs", {})
    if not isinstance(tables, dict) or not (tables or data.get("families") or reader):
        raise Problem(f"{path}: there is no job; add a table [jobs.system]", ExitCode.SETTINGS)
    for name in tables:
        if not MACHINE_OR_JOB.fullmatch(name):
            raise Problem(f"{path}: {name!r} is no name of a job", ExitCode.SETTINGS)
    return tuple(
        _job(
            name, SettingTable(tables, name, path, f"jobs.{name}", SETTING_NAMES["jobs.NAME"]), where, reader
        )
        for name in tables
    )


def _job(name: str, table: SettingTable, where: Places, reader: bool) -> JobSettings:
    filelist = table.text("filelist")
    return JobSettings(
        job=name,
        folder=_folder(table, reader=reader),
        filelist=where.config / Path(filelist).expanduser() if filelist else None,
        full_every=table.parsed("full_every", parse_period),
        full_when=table.parsed("full_when", parse_multiple, parse_multiple(usual_full_when(name))),
        other_filesystems=table.flag("other_filesystems", True),
        device_files=table.flag("device_files", True),
        check_change_time=table.flag("check_change_time", True),
        family=table.text("family"),
        volume_mb=table.optional_number("volume_mb", 4096),
    )


def _folder(table: SettingTable, *, reader: bool) -> Path | None:
    source = table.text("source")
    if source is None and not reader:
        raise table.problem("source", "is missing: the folder to back up")
    folder = Path(source).expanduser() if source is not None else None
    if folder is not None and not folder.is_absolute():
        raise table.problem("source", 'must be a full path, such as "/home/anna"')
    return folder


def _families(data: dict[str, Any], path: Path, *, reader: bool) -> tuple[FamilySettings, ...]:
    tables = data.get("families", {})
    if not isinstance(tables, dict):
        raise Problem(f"{path}: [families] must hold tables such as [families.photos]", ExitCode.SETTINGS)
    found = []
    for name in tables:
        if not MACHINE_OR_JOB.fullmatch(name):
            raise Problem(f"{path}: {name!r} is no name of a family", ExitCode.SETTINGS)
        table = SettingTable(tables, name, path, f"families.{name}", SETTING_NAMES["families.NAME"])
        found.append(FamilySettings(name, _folder(table, reader=reader)))
    return tuple(found)


def _hooks(table: SettingTable) -> Hooks:
    return Hooks(
        before=table.text("before"),
        after=table.text("after"),
        failed=table.text("failed"),
        ping_url=table.parsed("ping_url", parse_ping_url),
    )


def _machine(service: SettingTable) -> str:
    machine = service.text("machine") or ""
    if not MACHINE_OR_JOB.fullmatch(machine):
        raise service.problem("machine", f"{machine!r} is no name of a machine")
    return machine


def _service_url(service: SettingTable) -> str:
    url = service.text("url")
    if url is None:
        raise service.problem("url", "is missing: the service's address")
    try:
        return check_url(url)
    except Problem as problem:
        raise service.problem("url", str(problem)) from None

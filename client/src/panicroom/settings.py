"""The settings file, and where everything of the client lives on this machine.

``PANICROOM_CONFIG_DIR``, ``PANICROOM_STATE_DIR`` and ``PANICROOM_CACHE_DIR`` override the platform's
places: for tests, for servers, and for several machines on one host.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import platformdirs

from panicroom.exit_codes import ExitCode, Problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MACHINE_OR_JOB = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")

_TEMPLATE = """\
# Settings of panicroom on this machine. Period, storage and retention live in the service.

[service]
url = {url}
machine = {machine}
# Where the token and the passphrase are kept: "keyring", or "file" (a private file beside this one).
secrets = {secrets}

[encryption]
# A GnuPG key in the stead of a passphrase, and one to sign with, by their fingerprints. Backups are made with the
# public half; to restore, gpg needs the secret one. A key is for all backups of a machine: do not change it later.
{encrypt_key}
# sign_key = "fingerprint"

[upload]
# Size of one volume in MB (2^20 bytes). 25 suits a home folder, 200 suits photos.
volume_mb = 25
# At most so many volumes on their way at the same time; more than four only while more carry more.
upload_threads = 12
# No more than so much a second, such as "500KB" or "2MB".
# max_upload_rate = "2MB"
# Whether gpg compresses: "always", "never", or "auto" to try a sample of the source (photos do not get smaller).
compress = "auto"
# Make duplicity faster by patches that change nothing of what it writes; false runs it as it is.
speed_up = true
"""

_JOB_TEMPLATE = """
[jobs.{job}]
source = {source}
# What to leave out, in duplicity's own syntax: a file of "- pattern" and "+ pattern" lines, relative to
# this folder.
# filelist = "exclude.txt"
# A new full backup when the newest is as old as this, such as "90d", "12w", "6m" or "1y". It uploads everything
# again: right for what changes a lot, and not for photos.
# full_every = "never"
# Whether to read a file again if only its change time (ctime) says that it may have changed. Say false for folders
# of hard-link snapshots, where each snapshot moves the change times of all files.
# check_change_time = true
"""


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
"""Where a server's own backups have their folders: for root, and for ``schedule install --system``."""


def places() -> Places:
    """The folders, from the environment or the platform's custom; nothing is created.

    For root those are the system's own, once somebody has made /etc/panicroom.
    """
    usual = Places(
        config=Path(platformdirs.user_config_dir("panicroom")),
        state=Path(platformdirs.user_state_dir("panicroom")),
        cache=Path(platformdirs.user_cache_dir("panicroom")),
    )
    if os.geteuid() == 0 and SYSTEM_PLACES.config.is_dir():
        usual = SYSTEM_PLACES

    def place(variable: str, otherwise: Path) -> Path:
        return Path(os.environ.get(variable) or otherwise).absolute()

    return Places(
        config=place("PANICROOM_CONFIG_DIR", usual.config),
        state=place("PANICROOM_STATE_DIR", usual.state),
        cache=place("PANICROOM_CACHE_DIR", usual.cache),
    )


@dataclass(frozen=True)
class JobSettings:
    """One job: its source folder, the file of include and exclude lines if there is one, and how old a full
    backup may get (None: as old as one likes).

    ``check_change_time``: whether files are read again whose change time alone says that they may have changed.
    """

    job: str
    source: Path
    filelist: Path | None = None
    full_every: timedelta | None = None
    check_change_time: bool = True


@dataclass(frozen=True)
class Settings:
    """All of panicroom.toml, checked."""

    url: str
    machine: str
    secrets: str
    volume_mb: int
    upload_threads: int
    jobs: tuple[JobSettings, ...]
    places: Places
    encrypt_key: str | None = None
    sign_key: str | None = None
    max_upload_rate: int | None = None  # bytes a second
    compress: Compress = "auto"
    speed_up: bool = True

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
        """Where duplicity keeps this job's signatures and manifests."""
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
    parts = urlsplit(url)
    loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and loopback)):
        raise Problem(f"{url!r} is no service URL: it must begin with https://", ExitCode.USAGE)
    return url.rstrip("/")


def load_settings() -> Settings:
    """Reads panicroom.toml; a Problem names the line or the setting that is wrong."""
    where = places()
    path = where.settings_file
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Problem(
            "this machine is not enrolled; run: panicroom enrol URL CODE", ExitCode.SETTINGS
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"{path} cannot be read: {error}", ExitCode.SETTINGS) from None
    return _checked(data, where)


def _checked(data: dict[str, Any], where: Places) -> Settings:
    path = where.settings_file

    def setting(table: dict[str, Any], name: str, kind: type[Any], usual: Any = None) -> Any:
        value = table.get(name, usual)
        if type(value) is not kind or value == "":
            word = {str: "a text", int: "a whole number", dict: "a table", bool: "true or false"}[kind]
            raise Problem(f"{path}: {name} must be {word}", ExitCode.SETTINGS)
        return value

    service = setting(data, "service", dict)
    upload = setting(data, "upload", dict, {})
    tables = setting(data, "jobs", dict, {})
    jobs = []
    for name, table in tables.items():
        if not MACHINE_OR_JOB.fullmatch(name) or not isinstance(table, dict):
            raise Problem(f"{path}: [jobs.{name}] is no job", ExitCode.SETTINGS)
        filelist = setting(table, "filelist", str, None) if "filelist" in table else None
        jobs.append(
            JobSettings(
                job=name,
                source=Path(setting(table, "source", str)).expanduser(),
                filelist=where.config / Path(filelist).expanduser() if filelist else None,
                full_every=_period(setting(table, "full_every", str, NEVER), path),
                check_change_time=setting(table, "check_change_time", bool, True),
            )
        )
    if not jobs:
        raise Problem(f"{path}: there is no job; add a table [jobs.system]", ExitCode.SETTINGS)
    volume_mb = setting(upload, "volume_mb", int, 25)
    upload_threads = setting(upload, "upload_threads", int, 12)
    if not 1 <= volume_mb <= 4096 or not 1 <= upload_threads <= 32:
        raise Problem(
            f"{path}: volume_mb must be between 1 and 4096, upload_threads between 1 and 32",
            ExitCode.SETTINGS,
        )
    rate = setting(upload, "max_upload_rate", str, "") if "max_upload_rate" in upload else None
    compress = setting(upload, "compress", str, "auto")
    if compress not in get_args(Compress):
        raise Problem(f'{path}: compress must be "auto", "always" or "never"', ExitCode.SETTINGS)
    encryption = setting(data, "encryption", dict, {})
    encrypt_key, sign_key = _key(encryption, "encrypt_key", path), _key(encryption, "sign_key", path)
    machine = setting(service, "machine", str)
    if not MACHINE_OR_JOB.fullmatch(machine):
        raise Problem(f"{path}: {machine!r} is no name of a machine", ExitCode.SETTINGS)
    store = setting(service, "secrets", str, "file")
    if store not in ("keyring", "file"):
        raise Problem(f'{path}: secrets must be "keyring" or "file"', ExitCode.SETTINGS)
    return Settings(
        url=check_url(setting(service, "url", str)),
        machine=machine,
        secrets=store,
        volume_mb=volume_mb,
        upload_threads=upload_threads,
        max_upload_rate=_rate(rate, path),
        compress=compress,
        speed_up=setting(upload, "speed_up", bool, True),
        jobs=tuple(jobs),
        places=where,
        encrypt_key=encrypt_key,
        sign_key=sign_key,
    )


def _key(table: dict[str, Any], name: str, path: Path) -> str | None:
    """A fingerprint, however it is spaced; a short id could name somebody else's key as well."""
    key = table.get(name)
    if key is None:
        return None
    bare = re.sub(r"\s", "", key) if isinstance(key, str) else ""
    if not re.fullmatch(r"(?:0x)?[0-9A-Fa-f]{40}", bare):
        raise Problem(
            f"{path}: {name} must be a fingerprint of 40 digits; see: gpg --list-keys --fingerprint",
            ExitCode.SETTINGS,
        )
    return bare.upper().removeprefix("0X")


def _period(text: str, path: Path) -> timedelta | None:
    try:
        return parse_period(text)
    except ValueError:
        raise Problem(
            f'{path}: full_every must be "never", or a period such as "90d", "12w", "6m" or "1y"',
            ExitCode.SETTINGS,
        ) from None


def _rate(text: str | None, path: Path) -> int | None:
    try:
        return parse_rate(text) if text is not None else None
    except ValueError as error:
        raise Problem(f"{path}: max_upload_rate {error}", ExitCode.SETTINGS) from None


def write_settings(
    where: Places,
    url: str,
    machine: str,
    secrets: str,
    sources: dict[str, Path],
    encrypt_key: str | None = None,
) -> None:
    """Writes panicroom.toml whole (private, atomically); ``sources`` maps jobs to folders."""
    # A TOML basic string and a JSON string agree on everything that a path or a URL can hold.
    text = _TEMPLATE.format(
        url=json.dumps(url, ensure_ascii=False),
        machine=json.dumps(machine),
        secrets=json.dumps(secrets),
        encrypt_key=f'encrypt_key = "{encrypt_key}"' if encrypt_key else '# encrypt_key = "fingerprint"',
    )
    for job, source in sources.items():
        text += _JOB_TEMPLATE.format(job=job, source=json.dumps(str(source), ensure_ascii=False))
    write_private(where.settings_file, text)


def add_jobs(settings: Settings, url: str, sources: dict[str, Path]) -> None:
    """Brings the file up to date with a new enrolment, and leaves all else in it as somebody wrote it."""
    path = settings.places.settings_file
    text = path.read_text(encoding="utf-8")
    if url != settings.url:
        line = f"url = {json.dumps(url, ensure_ascii=False)}"
        text = re.sub(r"(?m)^\s*url\s*=.*$", lambda _match: line, text, count=1)
    for job, source in sources.items():
        text += _JOB_TEMPLATE.format(job=job, source=json.dumps(str(source), ensure_ascii=False))
    write_private(path, text)


def with_setting(text: str, table: str, key: str, value: str) -> str:
    """TOML ``text`` with ``key = value`` in ``[table]``: in the place of the line that sets it, or of the
    comment that shows it, else first; all else stays as somebody wrote it. A Problem without the table."""
    lines = text.splitlines()
    heading = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]\s*(#.*)?")
    start = next((index for index, line in enumerate(lines) if heading.fullmatch(line)), None)
    if start is None and table == "encryption":  # settings older than it
        return f"{text.rstrip()}\n\n[{table}]\n{key} = {value}\n"
    if start is None:
        raise Problem(f"the settings file has no line [{table}]; add it and run again", ExitCode.SETTINGS)
    rest = range(start + 1, len(lines))
    end = next((index for index in rest if lines[index].lstrip().startswith("[")), len(lines))
    for pattern in (rf"\s*{key}\s*=", rf"\s*#\s*{key}\s*="):
        for index in range(start + 1, end):
            if re.match(pattern, lines[index]):
                lines[index] = f"{key} = {value}"
                return "\n".join(lines) + "\n"
    lines.insert(start + 1, f"{key} = {value}")
    return "\n".join(lines) + "\n"


def private_folder(path: Path) -> Path:
    """Makes the folder, and the folders above it that are missing, for its owner alone; ``path`` again."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def write_private(path: Path, text: str) -> None:
    """Replaces ``path`` in one step by a file that only its owner can read."""
    private_folder(path.parent)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}


_PERIOD = re.compile(r"([1-9]\d{0,4})([dwmy])", re.IGNORECASE)


NEVER = "never"


def parse_period(text: str) -> timedelta | None:
    """``90d``, ``12w``, ``3m`` (of 30 days) or ``1y`` (of 365); None for ``never``. Else a ``ValueError``."""
    if text == NEVER:
        return None
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return timedelta(days=int(match[1]) * _DAYS[match[2].lower()])


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


Compress = Literal["auto", "always", "never"]
"""The setting ``compress``."""

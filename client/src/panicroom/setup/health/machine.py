"""This machine: rights, disk, sources, schedule, and keys of AWS that should not be on it."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import configparser
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from panicroom.backup.preconditions.readiness import allow_open_files, check_space
from panicroom.backup.run import survey_job
from panicroom.exit_codes import Problem
from panicroom.places import SYSTEM_PLACES, Places
from panicroom.private_files import open_to_others
from panicroom.settings import JobSettings, Settings
from panicroom.setup.health.check_result import FAIL, OK, WARN, CheckResult
from panicroom.setup.health.unstored import UnstoredAttributes
from panicroom.setup.schedule import scheduler


def privacy(places: Places) -> CheckResult:
    """Manifests in the cache name every file of the machine, in the open: for its user alone."""
    inside = ("archive", "work")
    folders = [places.config, places.state, *(places.cache / name for name in inside)]
    wide = [str(folder) for folder in folders if folder.is_dir() and open_to_others(folder)]
    files = [places.settings_file, places.secrets_file, places.log_file]
    wide += [str(file) for file in files if file.is_file() and open_to_others(file)]
    if wide:
        paths = " ".join(shlex.quote(path) for path in wide)
        return CheckResult("privacy", WARN, f"other users can read here; run: chmod go-rwx {paths}")
    return CheckResult("privacy", OK, "folders and files of the client are closed to other users")


def disk_space(settings: Settings) -> CheckResult:
    volume_mb = max((settings.volume_mb_of(job.job) for job in settings.jobs), default=settings.volume_mb)
    try:
        return CheckResult("disk", OK, check_space(settings, volume_mb))
    except Problem as problem:
        return CheckResult("disk", FAIL, str(problem))


def open_files() -> CheckResult:
    try:
        allow_open_files()
    except Problem as problem:
        return CheckResult("open files", FAIL, str(problem))
    return CheckResult("open files", OK, "enough are allowed")


def sources(settings: Settings) -> Iterator[CheckResult]:
    away = [family for family in settings.families if not family.source.is_dir()]
    for family in away:
        text = f"{family.source} is not there; is its disk attached? If it moved: panicroom photos folder DIR"
        yield CheckResult(f"source of {family.family}", FAIL, text)
    for job in settings.jobs:
        if any(job.family == family.family for family in away):
            continue
        name = f"source of {job.job}"
        try:
            yield from _source(settings, job, name)
        except Problem as problem:
            yield CheckResult(name, FAIL, str(problem))
        except OSError as error:
            path = error.filename or job.source
            yield CheckResult(name, FAIL, f"{path}: {error.strerror}; is its disk attached?")


def _source(settings: Settings, job: JobSettings, name: str) -> list[CheckResult]:
    """The results of one job; the second is about what would come back otherwise than it is.

    Raises what keeps a backup from reading the source: ``Problem`` or ``OSError``.
    """
    if next(os.scandir(job.source), None) is None:
        return [CheckResult(name, FAIL, f"{job.source} is empty; is its disk attached?")]
    if job.filelist is not None and not job.filelist.is_file():
        return [CheckResult(name, FAIL, f"its file list {job.filelist} is not there")]
    found = UnstoredAttributes()
    survey_job(settings, job, found.take)
    results = [CheckResult(name, OK, str(job.source))]
    if text := found.text():
        results.append(CheckResult(name, WARN, f"not stored by duplicity: {text}"))
    return results


def schedule(places: Places) -> CheckResult:
    try:
        installed = scheduler(system=places.config == SYSTEM_PLACES.config).show()
    except Problem as problem:
        return CheckResult("schedule", WARN, str(problem))
    if not installed:
        return CheckResult(
            "schedule", WARN, "none; backups are made by hand only. Run: panicroom schedule install"
        )
    return CheckResult("schedule", OK, installed[0])


_KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_KEY_SETTINGS = ("aws_access_key_id", "aws_secret_access_key", "access_key", "secret_key")
_KEY_FILES = (".aws/credentials", ".aws/config", ".boto", ".s3cfg")


def aws_credentials(environment: Mapping[str, str], home: Path) -> Iterator[CheckResult]:
    """AWS keys on this computer: with those of the service's owner, whoever takes this machine can delete all
    backups. What the keys may do cannot be checked from here, so it is a warning."""
    found = [f"the variable {name}" for name in _KEY_VARIABLES if environment.get(name)]
    places = [home / name for name in _KEY_FILES]
    named = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")
    places += [Path(environment[name]).expanduser() for name in named if environment.get(name)]
    found += [str(path) for path in places if _holds_keys(path)]
    if not found:
        yield CheckResult("AWS credentials", OK, "none found on this computer")
    for place in found:
        yield CheckResult(
            "AWS credentials",
            WARN,
            f"{place} holds keys; if they may deploy the service, a thief or malware here can delete every "
            "backup. Deploy from another computer and remove them",
        )


def _holds_keys(path: Path) -> bool:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False
    except configparser.Error:
        return True  # unknown; better a warning too many
    tables = [parser.defaults(), *(parser[name] for name in parser.sections())]
    return any(table.get(name) for table in tables for name in _KEY_SETTINGS)


def full_disk_access(home: Path) -> CheckResult:
    """macOS hides folders from programs without it: they look empty or refuse. Not run on a Mac yet."""
    try:
        os.listdir(home / "Library" / "Mail")  # noqa: PTH208
    except PermissionError:
        text = (
            "macOS hides folders from this program; System Settings > Privacy & Security > Full Disk Access"
        )
        return CheckResult("Full Disk Access", FAIL, text)
    except FileNotFoundError:
        return CheckResult("Full Disk Access", WARN, "unknown, as there is no Library/Mail to try")
    return CheckResult("Full Disk Access", OK, "granted")

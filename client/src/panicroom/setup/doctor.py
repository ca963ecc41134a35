"""``panicroom doctor``: checks everything that a backup depends on, and says what to do.

Nothing is changed. Each check is a function that gives results; one that fails in an unforeseen way becomes
a result itself, as the doctor is called when things are broken.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from panicroom import __version__
from panicroom.backup.lease import check_clock
from panicroom.backup.readiness import allow_open_files, check_space
from panicroom.duplicity_run.gpg_keys import check_keys, has_secret_key
from panicroom.exit_codes import Problem
from panicroom.secrets import passphrase_of
from panicroom.settings import SYSTEM_PLACES, Places, Settings
from panicroom.setup.passphrase_trial import Outcome, try_passphrase
from panicroom.setup.schedule import scheduler, session_caveat
from panicroom.shown import shown
from panicroom.terminal.status import duration_text
from panicroom.wire import MachineStatus

OK, WARN, FAIL = "ok", "warn", "fail"

_QUIET_MAIL = timedelta(days=8)


@dataclass(frozen=True)
class CheckResult:
    """The result of one check: ``verdict`` is ok, warn or fail; ``text`` says what is, and what to do."""

    check: str
    verdict: str
    text: str

    def __str__(self) -> str:
        return f"{self.verdict:<4}  {shown(self.check)}: {shown(self.text, 2000)}"


def examine(settings: Settings, ask: Callable[[], MachineStatus], home: Path) -> Iterator[CheckResult]:
    """All results, in the order in which a person would check. ``ask`` calls the service."""
    checks: list[Callable[[], Iterable[CheckResult]]] = []
    try:
        answer = ask()
    except Problem as problem:
        yield CheckResult("service", FAIL, str(problem))
    else:
        yield CheckResult("service", OK, f"{settings.url} answers and knows {answer.machine}")
        checks += [
            lambda: [clock(answer)],
            lambda: [versions(answer)],
            lambda: last_runs(settings, answer),
            lambda: [weekly_mail(answer)],
        ]
    checks += [
        lambda: [gpg()],
        lambda: [passphrase(settings)],
        lambda: [keyring(settings)],
        lambda: [privacy(settings.places)],
        lambda: [disk_space(settings)],
        lambda: [open_files()],
        lambda: sources(settings),
        lambda: [schedule(settings.places)],
        lambda: aws_credentials(os.environ, home),
    ]
    if sys.platform == "darwin":
        checks.append(lambda: [full_disk_access(home)])
    for check in checks:
        try:
            yield from check()
        except Problem as problem:
            yield CheckResult("doctor", FAIL, str(problem))
        except (OSError, subprocess.SubprocessError) as error:
            yield CheckResult("doctor", WARN, f"a check could not be made: {error}")


def clock(status: MachineStatus) -> CheckResult:
    """More than ten minutes off, and the service refuses every set."""
    try:
        check_clock(status.server_time)
    except Problem as problem:
        return CheckResult("clock", FAIL, str(problem))
    return CheckResult("clock", OK, "within ten minutes of the service's")


def versions(status: MachineStatus) -> CheckResult:
    ours = _version(__version__)
    if ours < _version(status.oldest_client_version):
        return CheckResult(
            "version",
            FAIL,
            f"{__version__} is too old, the service wants {status.oldest_client_version}: ask its owner for the"
            f" line that installs {status.newest_client_version}",
        )
    newest = _version(status.newest_client_version)
    if ours < newest:
        text = (
            f"{__version__}; {status.newest_client_version} is out: ask the service's owner for the line that"
            " installs it"
        )
        return CheckResult("version", WARN, text)
    if ours > newest:
        text = f"{__version__} is newer than the service knows; ask its owner to bring it up to date"
        return CheckResult("version", WARN, text)
    return CheckResult("version", OK, f"{__version__} is the newest")


def last_runs(settings: Settings, status: MachineStatus) -> Iterator[CheckResult]:
    """How the service evaluates each job that has settings here, and none that has not."""
    known = {job.job: job for job in status.jobs}
    for mine in settings.jobs:
        job = known.get(mine.job)
        name = f"job {mine.job}"
        if job is None:
            yield CheckResult(name, FAIL, "the service does not know it; ask the owner to add it")
        elif job.state in ("overdue", "failing", "never"):
            ended = job.last_run.exit_code if job.last_run else None
            why = f", the last run ended with code {ended}" if ended else ""
            yield CheckResult(name, WARN, f"{job.state}{why}; run: panicroom backup {job.job}")
        else:
            yield CheckResult(name, OK, job.state)
    for missing in sorted(known.keys() - {job.job for job in settings.jobs}):
        yield CheckResult(
            f"job {missing}", WARN, f"it has no folder on this machine; add [jobs.{missing}] to the settings"
        )


def weekly_mail(status: MachineStatus) -> CheckResult:
    """The mail is what notices silence; a mail that stopped has to be noticed by somebody else."""
    if status.last_weekly_mail_at is None:
        return CheckResult(
            "weekly mail",
            WARN,
            "none has gone out yet; if the service is over a week old, report it to the owner",
        )
    age = _time(status.server_time) - _time(status.last_weekly_mail_at)
    ago = f"the last went out {duration_text(age.total_seconds())} ago"
    if age > _QUIET_MAIL:
        return CheckResult("weekly mail", WARN, f"{ago}, and should every week; report it to the owner")
    return CheckResult("weekly mail", OK, ago)


def gpg() -> CheckResult:
    """Encrypts and decrypts a few bytes, as an installed gpg may still lack its agent or a usable home."""
    if shutil.which("gpg") is None:
        return CheckResult("gpg", FAIL, "it is missing; install it: apt install gnupg, or brew install gnupg")
    command = ["gpg", "--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase=doctor"]
    try:
        encrypted = subprocess.run(
            [*command, "--symmetric", "--s2k-count=1024"],
            input=b"test",
            capture_output=True,
            timeout=30,
            check=False,
        )
        decrypted = subprocess.run(
            [*command, "--decrypt"], input=encrypted.stdout, capture_output=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        return CheckResult("gpg", FAIL, "it does not answer; end its agent: gpgconf --kill gpg-agent")
    if decrypted.stdout != b"test":
        lines = (encrypted.stderr + decrypted.stderr).decode(errors="replace").split("\n")
        return CheckResult("gpg", FAIL, f"it cannot encrypt: {lines[0]}")
    return CheckResult("gpg", OK, "encrypts and decrypts")


def passphrase(settings: Settings) -> CheckResult:
    """Tries it on what is stored, as a wrong one is found else on the day of a restore."""
    if settings.encrypt_key:
        return encryption_key(settings.encrypt_key, settings.sign_key)
    try:
        known = passphrase_of(settings)
        assert known is not None, "without a key there is one, or a Problem"
        trials = try_passphrase(settings, known)
    except Problem as problem:
        return CheckResult("passphrase", FAIL, str(problem))
    wrong = [trial.job for trial in trials if trial.outcome == Outcome.WRONG]
    if wrong:
        text = f"it does not open the stored backups of {', '.join(wrong)}; run: panicroom passphrase check"
        return CheckResult("passphrase", FAIL, text)
    if "\n" in known or "\r" in known:
        text = "it has a line break, so gpg uses its first line only; run: panicroom passphrase change"
        return CheckResult("passphrase", WARN, text)
    opened = [trial.job for trial in trials if trial.outcome == Outcome.OPENS]
    tried = f"opens the stored backups of {', '.join(opened)}" if opened else "is stored"
    return CheckResult("passphrase", OK, f"{tried}; is it on your recovery sheet too?")


def encryption_key(encrypt_key: str, sign_key: str | None) -> CheckResult:
    try:
        check_keys(encrypt_key, sign_key)
    except Problem as problem:
        return CheckResult("encryption key", FAIL, str(problem))
    if not has_secret_key(encrypt_key):
        text = f"the secret half of {encrypt_key} is not here: backups are made, restores and verify are not"
        return CheckResult("encryption key", WARN, text)
    return CheckResult("encryption key", OK, f"{encrypt_key}; is a copy of the secret key elsewhere too?")


def keyring(settings: Settings) -> CheckResult:
    if settings.secrets == "file":
        file = settings.places.config / "secrets.json"
        if file.exists() and file.stat().st_mode & 0o077:
            return CheckResult("secrets", FAIL, f"others can read {file}; run: chmod 600 {file}")
        return CheckResult("secrets", OK, f"in the private file {file}")
    import keyring as keyrings

    backend = keyrings.get_keyring()
    if backend.priority < 1:
        return CheckResult("secrets", FAIL, "the settings say keyring, but there is none in this session")
    caveat = _schedule_caveat(settings)
    if caveat is not None:
        return CheckResult("secrets", WARN, caveat)
    return CheckResult("secrets", OK, f"in the keyring ({backend.name})")


def privacy(places: Places) -> CheckResult:
    """Manifests in the cache name every file of the machine, in the open: for its user alone."""
    inside = ("archive", "work")
    folders = [places.config, places.state, *(places.cache / name for name in inside)]
    wide = [str(folder) for folder in folders if folder.is_dir() and folder.stat().st_mode & 0o077]
    files = [places.settings_file, places.config / "secrets.json", places.log_file]
    wide += [str(file) for file in files if file.is_file() and file.stat().st_mode & 0o077]
    if wide:
        paths = " ".join(shlex.quote(path) for path in wide)
        return CheckResult("privacy", WARN, f"other users can read here; run: chmod go-rwx {paths}")
    return CheckResult("privacy", OK, "folders and files of the client are closed to other users")


def _schedule_caveat(settings: Settings) -> str | None:
    try:
        chosen = scheduler(system=settings.places.config == SYSTEM_PLACES.config)
    except Problem:
        return None
    return session_caveat(chosen, settings.secrets) if chosen.show() else None


def disk_space(settings: Settings) -> CheckResult:
    try:
        return CheckResult("disk", OK, check_space(settings))
    except Problem as problem:
        return CheckResult("disk", FAIL, str(problem))


def open_files() -> CheckResult:
    try:
        allow_open_files()
    except Problem as problem:
        return CheckResult("open files", FAIL, str(problem))
    return CheckResult("open files", OK, "enough are allowed")


def sources(settings: Settings) -> Iterator[CheckResult]:
    for job in settings.jobs:
        name = f"source of {job.job}"
        try:
            empty = next(os.scandir(job.source), None) is None
        except OSError as error:
            yield CheckResult(name, FAIL, f"{job.source}: {error.strerror}; is its disk attached?")
            continue
        if empty:
            yield CheckResult(name, FAIL, f"{job.source} is empty; is its disk attached?")
        elif job.filelist is not None and not job.filelist.is_file():
            yield CheckResult(name, FAIL, f"its file list {job.filelist} is not there")
        else:
            yield CheckResult(name, OK, str(job.source))


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


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())

"""Whether the value of a variable or an option fits, and the settings that it becomes."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from panicroom.duplicity_run.gpg_keys import key_fingerprint
from panicroom.exit_codes import Problem
from panicroom.secrets import checked_passphrase, stored_passphrase
from panicroom.setting_values import parse_period
from panicroom.settings import JobSettings, Settings
from panicroom.setup.passphrase_trial import Outcome, stored_jobs, try_passphrase
from panicroom.setup.script.findings import ImportedLine
from panicroom.setup.script.meanings import Meaning

_NO_KEY = frozenset(["", "disabled", "none", "no", "false", "0"])
"""What scripts write where they use none."""


@dataclass
class Changes:
    """What is going to be written for ``job``: settings by table and name, the passphrase if it is new, and the file
    of patterns. ``folder``: that of the script, from which relative paths are meant."""

    settings: Settings
    job: JobSettings
    folder: Path
    exclude: Path | None
    tables: dict[str, dict[str, str | int]] = field(default_factory=dict)
    passphrase: str | None = None

    @property
    def source(self) -> Path:
        return Path(str(self.tables.get(self._table, {}).get("source", self.job.source)))

    def set_for_job(self, name: str, value: str | int) -> None:
        self.set_in(self._table, name, value)

    def set_in(self, table: str, name: str, value: str | int) -> None:
        self.tables.setdefault(table, {})[name] = value

    @property
    def _table(self) -> str:
        return f"jobs.{self.job.job}"


def consider(name: str, meaning: Meaning, value: str, changes: Changes) -> ImportedLine:
    """Adds what the value says to ``changes``, if it fits; the finding."""
    match meaning:
        case Meaning.PASSPHRASE:
            return _passphrase(name, value, changes)
        case Meaning.VOLUME:
            return _volume(name, value, changes)
        case Meaning.FULL_EVERY:
            return _period(name, value, changes)
        case Meaning.ENCRYPT_KEY | Meaning.SIGN_KEY:
            return _key(name, meaning, value, changes)
        case Meaning.FILELIST:
            return _filelist(name, value, changes)
        case Meaning.DEVICE_FILES | Meaning.OTHER_FILESYSTEMS:
            setting = meaning.name.lower()
            changes.set_for_job(setting, False)
            return ImportedLine(name, True, f"{setting} = false")
    return _source(name, value, changes)


def _source(name: str, value: str, changes: Changes) -> ImportedLine:
    source = Path(value.removeprefix("file://")).expanduser()
    if not source.is_absolute() or not source.is_dir():
        return ImportedLine(name, False, "it names no folder of this machine")
    changes.set_for_job("source", str(source))
    return ImportedLine(name, True, f"the source of the job {changes.job.job} is {source}")


def _filelist(name: str, value: str, changes: Changes) -> ImportedLine:
    """The file that the command names wins over that of the script."""
    named = changes.exclude or changes.folder / Path(value).expanduser()
    if not named.is_file():
        return ImportedLine(name, False, "it names no file of + and - lines")
    changes.exclude = named
    return ImportedLine(name, True, f"the lines are those of {named}")


def _volume(name: str, value: str, changes: Changes) -> ImportedLine:
    size = re.fullmatch(r"\s*(\d+)\s*(?:MB?)?\s*", value, re.IGNORECASE)
    if size is None or not 1 <= int(size[1]) <= 4096:
        return ImportedLine(name, False, "it is no number of megabytes between 1 and 4096")
    changes.set_in("upload", "volume_mb", int(size[1]))
    return ImportedLine(name, True, f"volume_mb = {int(size[1])}")


def _passphrase(name: str, value: str, changes: Changes) -> ImportedLine:
    """A passphrase is taken where it opens what is stored, or where nothing is."""
    try:
        checked_passphrase(value, "it")
    except Problem as problem:
        return ImportedLine(name, False, str(problem))
    trials = try_passphrase(changes.settings, value)
    wrong = [trial.job for trial in trials if trial.outcome == Outcome.WRONG]
    if wrong:
        return ImportedLine(name, False, f"it does not open the stored backups of {', '.join(wrong)}")
    untried = [trial for trial in trials if trial.outcome == Outcome.UNKNOWN]
    if value == stored_passphrase(changes.settings):
        return ImportedLine(name, True, "it is the passphrase of this machine already")
    if untried:
        return ImportedLine(name, False, f"it could not be tried on the stored backups: {untried[0].detail}")
    changes.passphrase = value
    where = "the keyring" if changes.settings.secrets == "keyring" else "a private file beside the settings"
    return ImportedLine(name, True, f"it is now in {where}")


def _period(name: str, value: str, changes: Changes) -> ImportedLine:
    """duplicity's letters: M is a month, and minutes, hours and seconds make no sense here."""
    period = value.strip().upper()
    try:
        parse_period(period)
    except ValueError:
        return ImportedLine(name, False, "it is no period such as 90D, 12W, 3M or 1Y")
    changes.set_for_job("full_every", period)
    return ImportedLine(name, True, f'full_every = "{period}"')


def _key(name: str, meaning: Meaning, value: str, changes: Changes) -> ImportedLine:
    setting, ability = ("encrypt_key", "E") if meaning == Meaning.ENCRYPT_KEY else ("sign_key", "S")
    if value.strip().lower() in _NO_KEY:
        return ImportedLine(
            name, False, "it names no key: this script encrypts with a passphrase", needed=False
        )
    try:
        fingerprint = key_fingerprint(value, ability)
    except Problem as problem:
        return ImportedLine(name, False, str(problem))
    if fingerprint == getattr(changes.settings, setting):
        return ImportedLine(name, True, f"it is the {setting} of this machine already")
    if stored_jobs(changes.settings):
        return ImportedLine(name, False, "this machine's stored backups are encrypted otherwise already")
    changes.set_in("encryption", setting, fingerprint)
    return ImportedLine(name, True, f'{setting} = "{fingerprint}"')

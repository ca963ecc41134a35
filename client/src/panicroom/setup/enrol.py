"""``panicroom enrol``: makes the secret, exchanges the code, tries the passphrase, and writes the settings."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import hashlib
import json
import secrets as randomness
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from panicroom.api import Api
from panicroom.duplicity_run.gpg_keys import key_fingerprint
from panicroom.exit_codes import ExitCode, Problem
from panicroom.names import sealed_sets
from panicroom.places import places
from panicroom.secrets import SecretStore, checked_passphrase, make_proof_key, store_kind
from panicroom.setting_values import check_url
from panicroom.settings import MACHINE_OR_JOB, Settings, load_settings
from panicroom.setup.passphrase_trial import refuse_wrong, try_with_token
from panicroom.setup.settings_file import add_jobs, change_settings, write_settings
from panicroom.wire import EnrolmentAnswer, EnrolmentRequest

_PENDING = "enrolment"


def begin(url: str, gpg_key: str | None) -> Enrolment:
    """An enrolment at the service, with the settings that are here already. Nothing is written yet."""
    url = check_url(url)
    known = load_settings() if places().settings_file.exists() else None
    encrypt_key = key_fingerprint(gpg_key) if gpg_key else None
    if known and encrypt_key not in (None, known.encrypt_key):
        raise Problem(
            f"{known.places.settings_file} has another encrypt_key, or none; leave --gpg-key out",
            ExitCode.SETTINGS,
        )
    return Enrolment(url, known, encrypt_key or (known.encrypt_key if known else None))


class Enrolment:
    """One enrolment, from the code to the settings. Enrolling again keeps what somebody wrote."""

    def __init__(self, url: str, known: Settings | None, encrypt_key: str | None) -> None:
        self.url, self.known, self.encrypt_key = url, known, encrypt_key
        self._store = SecretStore(store_kind(known), places())
        self.stored_passphrase = self._stored("passphrase")
        self._answer: EnrolmentAnswer | None = None
        self._token = ""

    @property
    def machine(self) -> str:
        return self._answered().machine

    def exchange_code(self, code: str) -> None:
        """Registers a new secret for ``code``, and stores it where the settings read it.

        The secret is stored before it is sent: if the answer is lost, the same command sends the same secret
        and gets the same answer, though a code works only once.
        """
        pending = json.loads(self._store.get(_PENDING) or "{}")
        secret = (
            pending.get("secret") if (pending.get("url"), pending.get("code")) == (self.url, code) else None
        )
        if secret is None:
            secret = randomness.token_hex(32)
            self._store.put(_PENDING, json.dumps({"url": self.url, "code": code, "secret": secret}))
        with Api(self.url) as api:
            answer = api.enrol(EnrolmentRequest(code, hashlib.sha256(secret.encode()).hexdigest()))
        if self.known and self.known.machine != answer.machine:
            raise Problem(
                f"the code is for {answer.machine}, but the settings here are of {self.known.machine}; "
                f"move {self.known.places.settings_file} away and run this again",
                ExitCode.SETTINGS,
            )
        self._answer, self._token = answer, f"{answer.machine}.{secret}"
        self._store.put(f"{answer.machine}.secret", secret)
        if self.known:
            self._take_along("passphrase", self.stored_passphrase)
            self._take_along("proof", self._stored("proof"))
            change_settings(self.known.places, {"service": {"url": self.url, "secrets": self._store.kind}})

    @property
    def recovery_code(self) -> str | None:
        """For paper: it is shown once, and stored nowhere."""
        return self._answered().recovery_code

    def restored_folders(self) -> dict[str, Path]:
        """Where a computer that only read so far has restored its jobs."""
        jobs = self.known.jobs if self.known and self.known.reader else ()
        return {job.job: job.folder for job in jobs if job.folder is not None}

    def new_jobs(self) -> tuple[str, ...]:
        """Jobs and families of the machine that have no folder in the settings yet; all where this computer only read
        so far. Jobs of a family are found by the names of its folders."""
        known = self.known if self.known and not self.known.reader else None
        here = {job.job for job in known.jobs} if known else set()
        families = {family.family for family in known.families} if known else set()
        own = [job.job for job in self._answered().jobs if job.family is None and job.job not in here]
        return (*own, *(family for family in self.families() if family not in families))

    def families(self) -> dict[str, str | None]:
        """Families of photo jobs by name, each with where the owner thinks that the pictures are."""
        return {family.family: family.source_hint for family in self._answered().families}

    def check_sources(self, options: tuple[str, ...]) -> None:
        for option in options:
            check_source(split_source(option)[1])

    def folders_of(self, options: tuple[str, ...]) -> dict[str, Path]:
        return sources_from(options, self.new_jobs(), self.restored_folders())

    def jobs_with_backups(self) -> list[str]:
        """Jobs that have finished sets in the bucket: adopted, or from before this machine was set up anew."""
        jobs = [job.job for job in self._answered().jobs]
        with Api(self.url, self._token) as api:
            return [job for job in jobs if sealed_sets(file.name for file in api.files(job))]

    def check_passphrase(self, passphrase: str, advice: str) -> None:
        """A Problem if gpg would cut it, or if it does not open what is stored. The code can be used again."""
        checked_passphrase(passphrase)
        if self.encrypt_key is None:
            jobs = [job.job for job in self._answered().jobs]
            refuse_wrong(try_with_token(self.url, self._token, jobs, passphrase), advice)

    def finish(self, folders: dict[str, Path], passphrase: str | None) -> Path:
        """Writes passphrase and settings; the path of the settings file.

        ``folders`` are those of new jobs and families. ``passphrase`` is that of the key where there is one, and None
        if gpg's agent knows it or it has none.
        """
        where, answer = places(), self._answered()
        if passphrase is not None:
            self._store.put(f"{answer.machine}.passphrase", checked_passphrase(passphrase))
        if self.encrypt_key is not None:
            make_proof_key(self._store, answer.machine)
        families = {name: folders[name] for name in folders if name in self.families()}
        jobs = {name: folders[name] for name in folders if name not in families}
        if self.known is None:
            write_settings(
                where, self.url, answer.machine, self._store.kind, jobs, self.encrypt_key, families=families
            )
        else:
            add_jobs(self.known, self.url, self._store.kind, jobs, families=families)
        self._store.remove(_PENDING)
        if self.known and self.known.reader:
            self._store.remove(f"{answer.machine}.reader")
        return where.settings_file

    def _answered(self) -> EnrolmentAnswer:
        assert self._answer is not None, "the code comes first"
        return self._answer

    def _take_along(self, kind: str, value: str | None) -> None:
        """Into the store that the settings name from now on."""
        if value is not None:
            self._store.put(f"{self.machine}.{kind}", value)

    def _stored(self, kind: str) -> str | None:
        """A secret from where the settings say it is; None if that cannot be read now."""
        if self.known is None:
            return None
        name = f"{self.known.machine}.{kind}"
        try:
            return SecretStore(self.known.secrets, self.known.places).get(name)
        except Problem:
            return self._store.get(name)


def sources_from(
    options: tuple[str, ...], jobs: tuple[str, ...], usual: Mapping[str, Path] = MappingProxyType({})
) -> dict[str, Path]:
    """The folders given as ``DIR`` (the default job) or ``JOB=DIR``, by job, else the ``usual`` ones; a Problem if they
    do not fit.

    Folders of other jobs than ``jobs``, those that are new here, are left as they are.
    """
    chosen = dict(usual)
    for option in options:
        job, folder = split_source(option)
        chosen[job or ("system" if "system" in jobs or not jobs else jobs[0])] = check_source(folder)
    missing = [job for job in jobs if job not in chosen]
    if missing:
        raise Problem(f"no folder for the job {missing[0]}; add --source {missing[0]}=DIR", ExitCode.USAGE)
    return {job: chosen[job] for job in jobs}


def split_source(option: str) -> tuple[str | None, str]:
    """The job, if one is named, and the folder; a folder may have an equals sign in its own name."""
    job, equals, folder = option.partition("=")
    return (job, folder) if equals and MACHINE_OR_JOB.fullmatch(job) else (None, option)


def check_source(folder: str) -> Path:
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise Problem(f"the source {path} is not a folder", ExitCode.SOURCE)
    return path


def make_passphrase() -> str:
    """Twelve groups of four characters without look-alikes: 240 bits, and fit to be copied by hand."""
    letters = "abcdefghijkmnpqrstuvwxyz23456789"
    return "-".join("".join(randomness.choice(letters) for _ in range(4)) for _ in range(12))

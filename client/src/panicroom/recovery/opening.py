"""What opens the backups of a machine that is recovered: tried on the smallest manifests, before anything is spent."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from panicroom.exit_codes import ExitCode, Problem
from panicroom.secrets import (
    SecretStore,
    add_older_passphrase,
    checked_passphrase,
    checked_proof_key,
    passphrase_variable,
    passphrases_before,
    replace_passphrase,
    stored_passphrase,
    stored_proof_key,
    token_of,
)
from panicroom.settings import JobSettings, Settings
from panicroom.setup.passphrase_trial import Outcome, PassphraseTrial, stored_jobs, try_with_token


class RecoveringPerson(Protocol):
    """Somebody at a terminal."""

    def secret(self, question: str) -> str:
        """An answer that is not shown; it may be empty."""

    def line(self, text: str) -> None:
        """Shows a sentence."""


@dataclass(frozen=True)
class OpenedJobs:
    """``empty``: jobs that have nothing stored. ``closed``: jobs that another passphrase opens, which nobody knows."""

    empty: tuple[str, ...]
    closed: tuple[str, ...] = ()


def open_with_key(
    settings: Settings, jobs: Sequence[JobSettings], person: RecoveringPerson | None
) -> OpenedJobs:
    """gpg has the key, see ``access.usable_key``. Stores its passphrase and the proof key of the sheet, if there are
    such: gpg's agent may know the one, and without the other nobody can know who made the backups."""
    proof_key, passphrase = stored_proof_key(settings), passphrase_variable() or stored_passphrase(settings)
    if person is not None and proof_key is None:
        proof_key = _asked_proof_key(person)
        question = "Passphrase of the GnuPG key (empty: it has none, or gpg's agent shall ask)"
        passphrase = passphrase or person.secret(question) or None
    store = SecretStore(settings.secrets, settings.places)
    for kind, value in (("proof", proof_key), ("passphrase", passphrase)):
        if value is not None:
            store.put(f"{settings.machine}.{kind}", value)
    stored = stored_jobs(settings)
    return OpenedJobs(tuple(job.job for job in jobs if job.job not in stored))


def _asked_proof_key(person: RecoveringPerson) -> str | None:
    while True:
        answer = person.secret("Proof key of the recovery sheet, 64 digits (empty: go without)")
        try:
            return checked_proof_key(answer.strip()) if answer else None
        except Problem as problem:
            person.line(str(problem))


def open_with_passphrase(
    settings: Settings, jobs: Sequence[JobSettings], person: RecoveringPerson | None
) -> OpenedJobs:
    """Stores the passphrase that opens the backups: the variable's, the stored one, or what somebody answers.

    A Problem if it opens none of them, and nobody can be asked (``person`` is None).
    """
    names = [job.job for job in jobs]
    given = passphrase_variable()
    passphrase = given or stored_passphrase(settings)
    trials = _trials(settings, names, passphrase)
    while (wrong := _jobs_of(trials, Outcome.WRONG)) and not _jobs_of(trials, Outcome.OPENS):
        if person is None:
            raise _wrong(wrong, passphrase)
        if passphrase is not None:
            person.line("this passphrase does not open them")
        given, passphrase = None, _asked(f"Passphrase of the stored backups of {', '.join(wrong)}", person)
        trials = _trials(settings, names, passphrase)
    stored = stored_passphrase(settings)
    if passphrase is not None and passphrase != stored and (given is None or stored is None):
        replace_passphrase(settings, passphrase)
    closed = [job for job in wrong if not _has_older(settings, job, person)]
    return OpenedJobs(tuple(_jobs_of(trials, Outcome.NOTHING_STORED)), tuple(closed))


def _trials(settings: Settings, jobs: Sequence[str], passphrase: str | None) -> list[PassphraseTrial]:
    """Without a passphrase: whether there is something that needs one."""
    trials = try_with_token(settings.url, token_of(settings), jobs, passphrase or "")
    for trial in trials:
        if trial.outcome == Outcome.OTHERWISE_ENCRYPTED:
            raise Problem(
                f"the backups of {trial.job} are encrypted for a GnuPG key, not with a passphrase; import its secret "
                "half (gpg --import secret-key-file), then run: panicroom recover --gpg-key KEY",
                ExitCode.GPG,
            )
        if trial.outcome == Outcome.UNKNOWN and passphrase is None:
            raise Problem(f"{trial.job}: {trial.detail}; try again later", ExitCode.TRY_LATER)
    return trials


def _wrong(jobs: Sequence[str], passphrase: str | None) -> Problem:
    if passphrase is None:
        return Problem("the passphrase is missing; give it in the variable PASSPHRASE", ExitCode.PASSPHRASE)
    return Problem(
        f"this passphrase does not open the stored backups of {', '.join(jobs)}; nothing was spent, and the recovery "
        "code is not needed again: give another in PASSPHRASE and run: panicroom recover",
        ExitCode.PASSPHRASE,
    )


def _asked(question: str, person: RecoveringPerson) -> str:
    while True:
        try:
            return checked_passphrase(person.secret(question))
        except Problem as problem:
            person.line(str(problem))


def _has_older(settings: Settings, job: str, person: RecoveringPerson | None) -> bool:
    """Whether an earlier passphrase opens the job's backups: one that is stored, or that somebody knows, which is then
    stored with those that the machine had before."""
    tried = passphrases_before(settings)
    while True:
        for passphrase in tried:
            (trial,) = try_with_token(settings.url, token_of(settings), [job], passphrase)
            if trial.outcome != Outcome.WRONG:
                add_older_passphrase(settings, passphrase)
                return True
        if person is None:
            return False
        question = f"The backups of {job} have another passphrase, an earlier one (empty: leave them out)"
        answer = person.secret(question)
        if not answer:
            return False
        tried = [answer]


def _jobs_of(trials: Sequence[PassphraseTrial], outcome: Outcome) -> list[str]:
    return [trial.job for trial in trials if trial.outcome == outcome]

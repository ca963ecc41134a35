"""Tries a passphrase on what is stored: on the smallest manifest of a job's newest chain, a few hundred bytes."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from panicroom.api import Api, ApiError, download_small
from panicroom.backup.new_chain import is_asked_for
from panicroom.exit_codes import ExitCode, Problem
from panicroom.names import parse_name, set_kind, set_time
from panicroom.secrets import token_of
from panicroom.settings import Settings
from panicroom.wire import ListedFile

_GPG_SECONDS = 60
MANIFEST_BYTES = 64 * 2**20
"""More than any manifest has: 250 bytes a volume."""


class Outcome(Enum):
    """What became of the trial."""

    OPENS = "opens"
    WRONG = "wrong"
    NOTHING_STORED = "nothing stored"
    NEW_CHAIN = "not used yet, the next backup begins a new chain with it"
    OTHERWISE_ENCRYPTED = "not encrypted with a passphrase"
    UNKNOWN = "could not be tried"


@dataclass(frozen=True)
class PassphraseTrial:
    """``detail``: why it could not be tried."""

    job: str
    outcome: Outcome
    detail: str = ""


def try_passphrase(
    settings: Settings, passphrase: str, jobs: Iterable[str] | None = None
) -> list[PassphraseTrial]:
    """One trial for each job of the settings (or each of ``jobs``). Raises ``Problem`` only where gpg is missing."""
    names = [job.job for job in settings.jobs] if jobs is None else list(jobs)
    changed = [name for name in names if is_asked_for(settings.job_state(name))]
    tried = [name for name in names if name not in changed]
    trials = try_with_token(settings.url, token_of(settings), tried, passphrase)
    return [*trials, *(PassphraseTrial(name, Outcome.NEW_CHAIN) for name in changed)]


def try_with_token(url: str, token: str, jobs: Iterable[str], passphrase: str) -> list[PassphraseTrial]:
    with Api(url, token) as api:
        return [_try_job(api, job, passphrase) for job in jobs]


def stored_jobs(settings: Settings) -> list[str]:
    """The jobs that have something stored. Raises ``Problem`` where the service cannot be asked."""
    with Api(settings.url, token_of(settings)) as api:
        return [job.job for job in settings.jobs if api.files(job.job)]


def _try_job(api: Api, job: str, passphrase: str) -> PassphraseTrial:
    try:
        name = manifest_to_try(api.files(job))
        if name is None:
            return PassphraseTrial(job, Outcome.NOTHING_STORED)
        if not name.endswith(".gpg"):
            return PassphraseTrial(job, Outcome.OTHERWISE_ENCRYPTED)
        permit = next(iter(api.downloads(job, (name,)).files), None)
        if permit is None or permit.url is None:
            return PassphraseTrial(
                job, Outcome.UNKNOWN, (permit and permit.message) or f"{name} cannot be read now"
            )
        return PassphraseTrial(job, gpg_outcome(download_small(permit.url, MANIFEST_BYTES), passphrase))
    except ApiError as failure:
        return PassphraseTrial(job, Outcome.UNKNOWN, failure.message)


def manifest_to_try(files: Iterable[ListedFile]) -> str | None:
    """The smallest manifest of the newest chain, since a changed passphrase begins a new chain."""
    manifests = [
        (parsed, file)
        for file in files
        if (parsed := parse_name(file.name)) and parsed.kind == "manifest" and not parsed.partial
    ]
    fulls = [set_time(parsed.set) for parsed, _file in manifests if set_kind(parsed.set) == "full"]
    newest = max(fulls, default=None)
    chain = [file for parsed, file in manifests if newest is None or set_time(parsed.set) >= newest]
    return min(chain, key=lambda file: file.size).name if chain else None


def gpg_outcome(encrypted: bytes, passphrase: str) -> Outcome:
    """Whether gpg opens the bytes with the passphrase. The passphrase goes through a pipe, never an argument."""
    reading, writing = os.pipe()
    command = ["gpg", "--batch", "--quiet", "--no-tty", "--status-fd", "2", "--pinentry-mode=loopback"]
    try:
        os.write(writing, os.fsencode(passphrase)[:65536] + b"\n")
        os.close(writing)
        ended = subprocess.run(
            [*command, "--passphrase-fd", str(reading), "--decrypt"],
            input=encrypted,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[reading],
            timeout=_GPG_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise Problem(
            "gpg is missing; install it: apt install gnupg, or brew install gnupg", ExitCode.GPG
        ) from None
    except subprocess.TimeoutExpired:
        raise Problem("gpg does not answer; end its agent: gpgconf --kill gpg-agent", ExitCode.GPG) from None
    finally:
        os.close(reading)
    if b"DECRYPTION_OKAY" in ended.stderr:
        return Outcome.OPENS
    return Outcome.OTHERWISE_ENCRYPTED if b"ENC_TO" in ended.stderr else Outcome.WRONG


def refuse_wrong(trials: Iterable[PassphraseTrial], advice: str) -> None:
    """A Problem if the passphrase does not open what a job has stored."""
    wrong = [trial.job for trial in trials if trial.outcome == Outcome.WRONG]
    if wrong:
        raise Problem(
            f"this passphrase does not open the stored backups of {', '.join(wrong)}; {advice}",
            ExitCode.PASSPHRASE,
        )

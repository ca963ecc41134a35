"""``panicroom enrol``: makes the secret, exchanges the code, and leaves the settings in place."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import hashlib
import json
import secrets as randomness
from collections.abc import Callable
from pathlib import Path

from panicroom.api import Api, ApiError
from panicroom.exit_codes import ExitCode, Problem
from panicroom.secrets import SecretStore, make_proof_key, usual_store
from panicroom.settings import (
    MACHINE_OR_JOB,
    Settings,
    add_jobs,
    check_url,
    load_settings,
    places,
    write_settings,
)
from panicroom.wire import EnrolmentAnswer, EnrolmentRequest

_PENDING = "enrolment"


def exchange_code(url: str, code: str) -> EnrolmentAnswer:
    """Registers a fresh secret for ``code``.

    The secret is stored before it is sent: if the answer is lost, the same command sends the same secret
    and gets the same answer, though a code works only once.
    """
    url = check_url(url)
    store = SecretStore(usual_store(), places().config)
    kept = json.loads(store.get(_PENDING) or "{}")
    secret = kept.get("secret") if (kept.get("url"), kept.get("code")) == (url, code) else None
    if secret is None:
        secret = randomness.token_hex(32)
        store.put(_PENDING, json.dumps({"url": url, "code": code, "secret": secret}))
    api = Api(url)
    try:
        answer = api.enrol(EnrolmentRequest(code, hashlib.sha256(secret.encode()).hexdigest()))
    except ApiError as failure:
        raise failure.as_problem() from None
    finally:
        api.close()
    store.put(f"{answer.machine}.secret", secret)
    return answer


def known_machine(url: str) -> Settings | None:
    """The settings that are here already, or None. Enrolling again must not lose what somebody wrote."""
    check_url(url)
    return load_settings() if places().settings_file.exists() else None


def stored_passphrase(machine: str) -> str | None:
    return SecretStore(usual_store(), places().config).get(f"{machine}.passphrase")


def keep_settings(
    url: str,
    answer: EnrolmentAnswer,
    sources: dict[str, Path],
    passphrase: str | None,
    known: Settings | None,
    encrypt_key: str | None = None,
) -> Path:
    """Writes passphrase and settings; the path of the settings file.

    ``sources`` are the folders of jobs that ``known``, the settings before, does not have. ``passphrase`` is that
    of ``encrypt_key`` where there is one, and None if gpg's agent knows it or it has none.
    """
    where, store = places(), SecretStore(usual_store(), places().config)
    if passphrase is not None:
        store.put(f"{answer.machine}.passphrase", passphrase)
    if encrypt_key is not None or (known is not None and known.encrypt_key is not None):
        make_proof_key(store, answer.machine)
    if known is None:
        write_settings(where, check_url(url), answer.machine, store.kind, sources, encrypt_key)
    else:
        add_jobs(known, check_url(url), sources)
    store.remove(_PENDING)
    return where.settings_file


def check_key(known: Settings, encrypt_key: str) -> None:
    """A Problem if the machine's backups are encrypted otherwise."""
    if known.encrypt_key != encrypt_key:
        raise Problem(
            f"{known.places.settings_file} has another encrypt_key, or none; leave --gpg-key away",
            ExitCode.SETTINGS,
        )


def check_passphrase(machine: str, passphrase: str) -> None:
    """A Problem if the machine has another one: its backups would not open with the new one."""
    if stored_passphrase(machine) not in (None, passphrase):
        raise Problem(
            f"{machine} has another passphrase, with which its backups are encrypted; leave PASSPHRASE unset",
            ExitCode.PASSPHRASE,
        )


def sources_from(options: tuple[str, ...], jobs: tuple[str, ...]) -> dict[str, Path]:
    """The folders given as ``DIR`` (the default job) or ``JOB=DIR``, by job; a Problem if they do not fit.

    Folders of other jobs than ``jobs``, those that are new here, are left as they are.
    """
    chosen: dict[str, Path] = {}
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


def ask_source(job: str, prompt: Callable[[str], str]) -> Path:
    """Asks until the answer is a folder."""
    while True:
        try:
            return check_source(prompt(f"Folder that the job {job} backs up"))
        except Problem as problem:
            print(problem)

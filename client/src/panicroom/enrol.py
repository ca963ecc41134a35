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
from panicroom.secrets import SecretStore, usual_store
from panicroom.settings import check_url, places, write_settings
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


def keep_settings(url: str, answer: EnrolmentAnswer, sources: dict[str, Path], passphrase: str) -> Path:
    """Writes passphrase and settings; the path of the settings file."""
    where, store = places(), SecretStore(usual_store(), places().config)
    store.put(f"{answer.machine}.passphrase", passphrase)
    write_settings(where, check_url(url), answer.machine, store.kind, sources)
    store.remove(_PENDING)
    return where.settings_file


def sources_from(options: tuple[str, ...], jobs: tuple[str, ...]) -> dict[str, Path]:
    """The folders given as ``DIR`` (the default job) or ``JOB=DIR``, by job; a Problem if they do not fit."""
    chosen: dict[str, Path] = {}
    for option in options:
        job, equals, folder = option.partition("=")
        if not equals or job not in jobs:
            job, folder = ("system" if "system" in jobs else jobs[0]), option
        chosen[job] = check_source(folder)
    missing = [job for job in jobs if job not in chosen]
    if missing:
        raise Problem(f"no folder for the job {missing[0]}; add --source {missing[0]}=DIR", ExitCode.USAGE)
    return chosen


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

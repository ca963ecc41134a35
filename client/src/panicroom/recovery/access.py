"""From the recovery code on paper to the token of a reader, and settings that say so.

The code goes to the service and nowhere else: no setting, no secret, no state and no message has it. What is stored is
the secret of the token, before it is sent: if the answer is lost, the same code with the same secret gets it again.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import hashlib
import json
import secrets as randomness

from panicroom.api import UNKNOWN_CALL, UNREACHABLE, Api, ApiError
from panicroom.duplicity_run.gpg_keys import has_secret_key, key_fingerprint
from panicroom.exit_codes import ExitCode, Problem
from panicroom.places import places
from panicroom.secrets import SecretStore, store_kind, token_of
from panicroom.settings import Settings, load_settings
from panicroom.setup.settings_file import add_jobs, change_settings, write_settings
from panicroom.wire import ErrorCode, MachineStatus, RecoveryAnswer, RecoveryRequest

_PENDING = "recovery"

_NO_SERVICE = (
    UNREACHABLE,
    UNKNOWN_CALL,
    ErrorCode.TRY_AGAIN,
    ErrorCode.INTERNAL,
    ErrorCode.BAD_REQUEST,
    ErrorCode.NOT_AUTHORIZED,
)
"""What a service answers that is gone, or is none."""


def reader_here() -> Settings | None:
    """The settings of an earlier recovery, None where there are none. Raises ``Problem`` on a computer that is
    enrolled: its token is worth more than a reader's."""
    if not places().settings_file.exists():
        return None
    settings = load_settings()
    if not settings.reader:
        raise Problem(
            f"this computer is enrolled as {settings.machine} already; to restore here, run: panicroom restore "
            f"--to DIR. To recover as if it were new, {_another_place(settings)}",
            ExitCode.SETTINGS,
        )
    return settings


def check_same_machine(settings: Settings, machine: str | None) -> None:
    """Raises ``Problem`` where another machine was recovered here."""
    if machine not in (None, settings.machine):
        raise Problem(
            f"this computer reads the backups of {settings.machine} already; for {machine}, {_another_place(settings)}",
            ExitCode.SETTINGS,
        )


def _another_place(settings: Settings) -> str:
    return (
        f"move {settings.places.settings_file} away, or give folders of its own in PANICROOM_CONFIG_DIR, "
        "PANICROOM_STATE_DIR and PANICROOM_CACHE_DIR"
    )


def status_for(settings: Settings) -> MachineStatus | None:
    """What the service knows of the machine; None if it does not take the token any more."""
    with Api(settings.url, token_of(settings)) as api:
        try:
            return api.machine()
        except ApiError as failure:
            if failure.code in (ErrorCode.NOT_AUTHORIZED, ErrorCode.MACHINE_REVOKED):
                return None
            raise _explained(failure) from None


def usable_key(wanted: str) -> str:
    """The fingerprint of a GnuPG key whose secret half is here; else a ``Problem`` that says what to import."""
    fingerprint = key_fingerprint(wanted)
    if not has_secret_key(fingerprint):
        raise Problem(
            f"gpg has no secret half of the key {fingerprint}, which alone opens the backups; import its copy: "
            "gpg --import secret-key-file",
            ExitCode.GPG,
        )
    return fingerprint


def exchange_code(
    url: str, machine: str, code: str, known: Settings | None, encrypt_key: str | None
) -> Settings:
    """The settings of a reader, with its token stored; ``known`` are those of an earlier recovery."""
    where, store = places(), SecretStore(store_kind(known), places())
    secret = _pending_secret(store, url, machine)
    with Api(url) as api:
        try:
            answer = api.recover(RecoveryRequest(machine, code, hashlib.sha256(secret.encode()).hexdigest()))
        except ApiError as failure:
            raise _explained(failure) from None
    store.put(f"{machine}.reader", secret)
    jobs = dict.fromkeys(_new_jobs(answer, known))
    if known is None:
        write_settings(where, url, machine, store.kind, jobs, encrypt_key, reader=True)
    else:
        add_jobs(known, url, store.kind, jobs, reader=True)
    store.remove(_PENDING)
    return load_settings()


def brought_up_to_date(settings: Settings, status: MachineStatus, encrypt_key: str | None) -> Settings:
    """The settings with jobs that were added since, and the key that opens the backups if it was given."""
    here = {job.job for job in settings.jobs}
    new = dict.fromkeys(job.job for job in status.jobs if job.job not in here)
    if new:
        add_jobs(settings, settings.url, settings.secrets, new, reader=True)
        settings = load_settings()
    settings = _with_families(settings, status)
    if encrypt_key in (None, settings.encrypt_key):
        return settings
    return change_settings(settings.places, {"encryption": {"encrypt_key": encrypt_key}})


def _with_families(settings: Settings, status: MachineStatus) -> Settings:
    """The settings with the family of each photo job."""
    families = {job.job: job.family for job in status.jobs if job.family is not None}
    new = [job.job for job in settings.jobs if job.family is None and job.job in families]
    changes = {f"jobs.{job}": {"family": families[job]} for job in new}
    return change_settings(settings.places, changes) if changes else settings


def _pending_secret(store: SecretStore, url: str, machine: str) -> str:
    """The secret that was sent before for this machine and had no answer, else a new one; it is stored."""
    pending = json.loads(store.get(_PENDING) or "{}")
    if (pending.get("url"), pending.get("machine")) == (url, machine):
        return str(pending["secret"])
    secret = randomness.token_hex(32)
    store.put(_PENDING, json.dumps({"url": url, "machine": machine, "secret": secret}))
    return secret


def _new_jobs(answer: RecoveryAnswer, known: Settings | None) -> list[str]:
    here = {job.job for job in known.jobs} if known else set()
    return [job.job for job in answer.jobs if job.job not in here]


def _explained(failure: ApiError) -> Problem:
    """The refusal, with what there is beside the service."""
    problem = failure.as_problem()
    if failure.code not in _NO_SERVICE:
        return problem
    text = str(problem).rstrip(".")
    text = f"{text} If" if text.endswith("?") else f"{text}; if"
    return Problem(
        f"{text} it is gone for good, part B of the recovery sheet restores without the service",
        problem.exit_code,
    )

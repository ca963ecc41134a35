"""``panicroom passphrase change``: another passphrase, from the next full backup of each job on."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from contextlib import ExitStack

from panicroom.backup.new_chain import ask_for_new_chain
from panicroom.backup.preconditions.lease import job_lock
from panicroom.exit_codes import ExitCode, Problem
from panicroom.secrets import checked_passphrase, replace_passphrase, stored_passphrase
from panicroom.settings import Settings
from panicroom.transfer.journal import Journal


def change_passphrase(settings: Settings, new: str) -> list[str]:
    """Stores it and has each job begin a new chain; what follows, in sentences. Raises ``Problem``."""
    if settings.encrypt_key is not None:
        raise Problem(
            "this machine encrypts for a GnuPG key; its passphrase is changed by gpg: "
            f"gpg --change-passphrase {settings.encrypt_key}",
            ExitCode.USAGE,
        )
    checked_passphrase(new, "the new passphrase")
    if new == stored_passphrase(settings):
        raise Problem("that is the passphrase already", ExitCode.USAGE)
    with ExitStack() as locks:
        for job in settings.jobs:
            locks.enter_context(job_lock(settings.job_state(job.job)))
        for job in settings.jobs:
            # Half a set with the old passphrase and half with the new one would open with neither.
            Journal(settings.job_state(job.job) / "journal.jsonl").forget_volumes()
            ask_for_new_chain(settings.job_state(job.job))
        replace_passphrase(settings, new)
    jobs = ", ".join(job.job for job in settings.jobs)
    return [
        f"the next backup of {jobs} begins a new chain: it uploads everything, encrypted with the new passphrase",
        "backups made until now open with the old passphrase only; store both: panicroom recovery-sheet",
    ]

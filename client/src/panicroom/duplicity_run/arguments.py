"""duplicity's arguments; process.py runs them. Writes nothing but the plain copy of a job's file list."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from panicroom.duplicity_run.filelists import plain_filelist
from panicroom.duplicity_run.left_out import exclude_pattern, left_out_folders
from panicroom.names import ARCHIVE_PREFIX, METADATA_PREFIX
from panicroom.settings import JobSettings, Settings


def backup_arguments(
    settings: Settings, job: JobSettings, kind: str, source: Path, gpg_options: Iterable[str] = ()
) -> list[str]:
    """``kind`` is ``full`` or ``incremental``; ``source`` is the folder with its links resolved.

    ``gpg_options`` come on top of those in gpg's own settings file.
    """
    return [
        kind,
        *common_options(settings, job.job, settings.archives, settings.job_cache(job.job) / "tmp"),
        "--volsize",
        str(settings.volume_mb_of(job.job)),
        "--jsonstat",
        *(f"--gpg-options={option}" for option in gpg_options),
        # macOS changes its host name with the network; the service knows the machine by its token.
        "--allow-source-mismatch",
        *selection_options(settings, job, source),
        str(source),
        target_url(settings, job.job),
    ]


def restore_arguments(
    settings: Settings,
    job: str,
    *,
    work: Path,
    to: Path,
    time: str | None = None,
    path: str | None = None,
    keep_owners: bool = False,
) -> list[str]:
    """Restores all of a job, or ``path`` (relative to the source), into ``to``, as of ``time``.

    ``work`` is a folder of this restore alone. ``keep_owners``: give files back to their owners, which
    only root can; others would fail at each file that is not theirs.
    """
    return [
        "restore",
        *common_options(settings, job, work / "archive", work / "tmp"),
        "--volsize",  # duplicity asks for 2.3 times as much space, and for 482 MB where it is not given
        str(settings.volume_mb_of(job)),
        *([] if keep_owners else ["--no-restore-ownership"]),
        *(["--time", time] if time else []),
        *(["--path-to-restore", path] if path else []),
        target_url(settings, job),
        str(to),
    ]


def common_options(settings: Settings, job: str, archives: Path, temporary: Path) -> Iterable[str]:
    return [
        "--file-prefix-archive",
        ARCHIVE_PREFIX,
        "--file-prefix-manifest",
        METADATA_PREFIX,
        "--file-prefix-signature",
        METADATA_PREFIX,
        "--file-prefix-jsonstat",
        METADATA_PREFIX,
        "--archive-dir",
        str(archives),
        "--name",
        settings.archive_name(job),
        "--tempdir",
        str(temporary),
        *(["--encrypt-key", settings.encrypt_key] if settings.encrypt_key else []),
        *(["--sign-key", settings.sign_key] if settings.sign_key else []),
        "--log-timestamp",
        # Our transport is patient already; a second try is for what only duplicity sees (a wrong hash).
        "--num-retries",
        "2",
        "--backend-retry-delay",
        "1",
    ]


def selection_options(settings: Settings, job: JobSettings, source: Path) -> Iterable[str]:
    """What to leave out: our own working folders, which change under duplicity's eyes, and the kernel's; then the
    filelist. The first match counts in duplicity. ``source`` has its links resolved.
    """
    return [
        *([] if job.device_files else ["--exclude-device-files"]),
        *([] if job.other_filesystems else ["--exclude-other-filesystems"]),
        *(
            argument
            for folder in left_out_folders(settings, source)
            for argument in ("--exclude", exclude_pattern(folder))
        ),
        *(
            ["--exclude-filelist", str(plain_filelist(job.filelist, settings.job_state(job.job)))]
            if job.filelist
            else []
        ),
    ]


def target_url(settings: Settings, job: str) -> str:
    return f"panicroom://{settings.machine}/{job}"

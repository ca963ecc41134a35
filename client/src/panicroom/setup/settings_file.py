"""Writes panicroom.toml, and changes single settings in it without touching what somebody wrote around them."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from panicroom.exit_codes import ExitCode, Problem
from panicroom.places import Places
from panicroom.private_files import write_private
from panicroom.setting_values import usual_full_when
from panicroom.settings import Settings, load_settings

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_TEMPLATE = """\
# Settings of panicroom on this machine. The owner sets period, storage and retention in the service.

[service]
url = ""
machine = ""
# Where the token and the passphrase are stored: "keyring", or "file" (a private file beside this one).
secrets = ""
# Set by "panicroom recover": this computer reads by a recovery code, and makes no backups until it is enrolled.
# reader = false

[encryption]
# A GnuPG key instead of a passphrase, and one to sign with, by their fingerprints. Backups are made with the
# public half; to restore, gpg needs the secret half. One key is for all backups of a machine: do not change it later.
# encrypt_key = "fingerprint"
# sign_key = "fingerprint"

[upload]
# Size of one volume in MB (2^20 bytes). 25 suits a home folder, 200 suits photos.
volume_mb = 25
# The most volumes being uploaded at the same time; more than four only while that is faster.
upload_threads = 12
# The most to upload in a second, such as "500KB" or "2MB".
# max_upload_rate = "2MB"
# Whether gpg compresses: "always", "never", or "auto" to try a sample of the source (photos do not get smaller).
compress = "auto"
# Make duplicity faster by patches that change nothing of what it writes; false runs it as it is.
speed_up = true

[hooks]
# Commands for the shell. If "before" fails, there is no backup; it can write a database dump into the source.
# before = "pg_dump shop > /srv/dumps/shop.sql"
# after = "rm /srv/dumps/shop.sql"
# failed = "logger panicroom failed"
# A monitor's URL: called with /start added, as it is after a success, and with /CODE (the exit code) after a failure.
# ping_url = "https://hc-ping.com/your-uuid"

[schedule]
# Whether scheduled backups run on battery below 20 %, and on a metered connection. Overdue ones always run.
# on_battery = false
# on_metered = false
"""

_FAMILY_TEMPLATE = """
# The folder with the pictures: panicroom makes each folder in it a job of its own, below in this file.
[families.{family}]
source = ""
"""

_JOB_TEMPLATE = """
[jobs.{job}]
{source}
# What to leave out, in duplicity's own syntax: a file of "- pattern" and "+ pattern" lines, in the same folder as
# this file.
# filelist = "exclude.txt"
# A new full backup, which uploads everything again: when the stored backups have grown to so many times the source
# ("2x"; after two years or 250 backups at the latest), or when the last one has this age ("90D", "12W", "6M" for
# months, "1Y"). "never" for photos.
full_when = ""
# full_every = "never"
# Whether to go into other file systems mounted below the source, and to store device files.
# other_filesystems = true
# device_files = true
# Whether to read a file again if only its change time (ctime) says that it may have changed. false for folders
# of hard-link snapshots, where each snapshot moves the change times of all files.
# check_change_time = true
# Of a job that panicroom made for a folder of pictures: its family, and the size of its volumes in MB.
# family = "photos"
# volume_mb = 200
"""


def write_settings(
    where: Places,
    url: str,
    machine: str,
    secrets: str,
    sources: Mapping[str, Path | None],
    encrypt_key: str | None = None,
    *,
    families: Mapping[str, Path] = MappingProxyType({}),
    reader: bool = False,
) -> None:
    """Writes panicroom.toml whole (private, atomically); ``sources`` maps jobs to folders, for a reader to None, and
    ``families`` families of photo jobs to the folders with the pictures."""
    text = _TEMPLATE + "".join(_job_text(job, source) for job, source in sources.items())
    text += "".join(_FAMILY_TEMPLATE.format(family=family) for family in families)
    changes: dict[str, dict[str, Any]] = {
        "service": {
            "url": url,
            "machine": machine,
            "secrets": secrets,
            **({"reader": True} if reader else {}),
        },
        "encryption": {"encrypt_key": encrypt_key} if encrypt_key else {},
        **{f"jobs.{job}": _job_settings(job, source) for job, source in sources.items()},
        **_family_settings(families),
    }
    write_private(where.settings_file, with_settings(text, changes))


def add_jobs(
    settings: Settings,
    url: str,
    secrets: str,
    sources: Mapping[str, Path | None],
    *,
    families: Mapping[str, Path] = MappingProxyType({}),
    reader: bool = False,
) -> None:
    """Adds jobs and families that the owner has added since, folders of jobs, the service's new URL, the place of the
    secrets and whether this computer only reads; everything else in the file stays, but for the jobs of families on a
    computer that only read: they are found again by their folders' names."""
    path = settings.places.settings_file
    known = {job.job for job in settings.jobs}
    new = {job: source for job, source in sources.items() if job not in known}
    text = path.read_text(encoding="utf-8-sig")
    if settings.reader and not reader:
        text = without_tables(text, [f"jobs.{job.job}" for job in settings.jobs if job.family])
    text += "".join(_job_text(job, source) for job, source in new.items())
    text += "".join(
        _FAMILY_TEMPLATE.format(family=family) for family in families if family not in _families_of(settings)
    )
    changes: dict[str, dict[str, Any]] = {
        "service": {"url": url, "secrets": secrets, **({"reader": reader} if settings.reader else {})},
        **{f"jobs.{job}": _job_settings(job, source) for job, source in new.items()},
        **{f"jobs.{job}": {"source": str(source)} for job, source in sources.items() if job in known},
        **_family_settings(families),
    }
    write_private(path, with_settings(text, changes))


def _families_of(settings: Settings) -> set[str]:
    return {family.family for family in settings.families}


def _family_settings(families: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    return {f"families.{family}": {"source": str(folder)} for family, folder in families.items()}


def _job_text(job: str, source: Path | None) -> str:
    return _JOB_TEMPLATE.format(job=job, source='# source = ""' if source is None else 'source = ""')


def _job_settings(job: str, source: Path | None) -> dict[str, str]:
    return {**({"source": str(source)} if source else {}), "full_when": usual_full_when(job)}


def change_settings(where: Places, changes: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Sets table -> setting -> value in the file; the settings then. If they are refused, the file is as before."""
    path = where.settings_file
    before = path.read_text(encoding="utf-8-sig")
    write_private(path, with_settings(before, changes))
    try:
        return load_settings()
    except Problem:
        write_private(path, before)
        raise


def with_settings(text: str, changes: Mapping[str, Mapping[str, Any]]) -> str:
    """The TOML ``text`` with the changes; comments, order and everything else as they were.

    A setting that only a comment shows (``# key = ...``) takes the place of that comment. A Problem if ``text`` is
    no TOML.
    """
    import tomlkit  # only a few commands write settings
    from tomlkit.exceptions import TOMLKitError

    for heading, settings in changes.items():
        for name in settings:
            text = _without_comment_sign(text, heading, name)
    try:
        document = tomlkit.parse(text)
        for heading, settings in changes.items():
            table = _table(document, heading)
            for name, value in settings.items():
                if table.get(name) != value:
                    table[name] = value
    except TOMLKitError as error:
        raise Problem(f"the settings file cannot be changed: {error}", ExitCode.SETTINGS) from None
    return tomlkit.dumps(document)


def without_tables(text: str, headings: Iterable[str]) -> str:
    """The TOML ``text`` without those tables; a Problem if ``text`` is no TOML."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document: Any = tomlkit.parse(text)
        for heading in headings:
            above, _, name = heading.rpartition(".")
            _table(document, above).remove(name)
    except TOMLKitError as error:
        raise Problem(f"the settings file cannot be changed: {error}", ExitCode.SETTINGS) from None
    return tomlkit.dumps(document)


def _table(document: TOMLDocument, heading: str) -> Any:
    """The table of that heading, made where there is none."""
    import tomlkit

    table: Any = document
    for part in heading.split("."):
        if part not in table:
            table[part] = tomlkit.table()
        table = table[part]
    return table


def _without_comment_sign(text: str, heading: str, name: str) -> str:
    """``text`` with the comment that shows the setting made a line that sets it (to what no setting is), unless a line
    sets it already.

    tomlkit takes a comment for decoration, and would put the setting at the end of its table, far from its
    explanation.
    """
    start = re.search(rf"(?m)^[ \t]*\[[ \t]*{re.escape(heading)}[ \t]*\].*$", text)
    if start is None:
        return text
    following = re.search(r"(?m)^[ \t]*\[", text[start.end() :])
    end = start.end() + following.start() if following else len(text)
    body = text[start.end() : end]
    if re.search(rf"(?m)^[ \t]*{name}[ \t]*=", body):
        return text
    body = re.sub(rf"(?m)^[ \t]*#[ \t]*{name}[ \t]*=.*$", f"{name} = []", body, count=1)
    return text[: start.end()] + body + text[end:]

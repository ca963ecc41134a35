"""``panicroom import-conf``: takes over the set-up of a shell script around duplicity.

The script's file is read, never run: assignments in the shell's syntax, with variables of the same file and ``$HOME``
filled in, and calls of duplicity. Whatever is not taken is named with the reason; no value that may be a secret is ever
shown.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.private_files import write_private
from panicroom.secrets import SecretStore
from panicroom.settings import JobSettings, Settings
from panicroom.setup.script.assignments import Assignments, read_assignments
from panicroom.setup.script.crontabs import CronLine
from panicroom.setup.script.filelist import Filelist, read_filelist
from panicroom.setup.script.findings import ImportedLine
from panicroom.setup.script.meanings import OPTION_MEANINGS, UNKNOWN, Meaning, meaning_of, reason_against
from panicroom.setup.script.options import options_of, words_of
from panicroom.setup.script.values import Changes, consider
from panicroom.setup.settings_file import change_settings
from panicroom.shown import shown


def import_seed(
    settings: Settings, job: JobSettings, conf: Path, exclude: Path | None, home: Path
) -> list[ImportedLine]:
    """Changes settings and secrets as the two files say; what it took and what not, line by line.

    Everything is read before anything is written. Raises ``Problem`` for a file that cannot be read.
    """
    changes = Changes(settings, job, conf.parent, exclude)
    findings = list(_considered(read_assignments(_text(conf), home), changes))
    if changes.exclude is not None:
        filelist = read_filelist(_text(changes.exclude), changes.source)
        findings += [*filelist.findings, _keep_filelist(filelist, changes)]
    if changes.passphrase is not None:
        store = SecretStore(settings.secrets, settings.places)
        store.put(f"{settings.machine}.passphrase", changes.passphrase)
    change_settings(settings.places, changes.tables)
    return findings


def _considered(read: Assignments, changes: Changes) -> Iterator[ImportedLine]:
    yield from read.refused
    known: dict[Meaning, str] = {}
    for name, value in read.values.items():
        meaning = meaning_of(name)
        if meaning == Meaning.OPTIONS:
            yield from _options(name, words_of(value), changes, known)
        elif isinstance(meaning, Meaning):
            yield _once(name, meaning, value, changes, known)
        else:
            yield ImportedLine(name, False, meaning, needed=meaning == UNKNOWN)
    for line, words in read.calls.items():
        yield from _options(line, words, changes, known)


def _options(
    where: str, words: Sequence[str], changes: Changes, known: dict[Meaning, str]
) -> Iterator[ImportedLine]:
    for option, value in options_of(words):
        name, meaning = f"{where}, {option}", OPTION_MEANINGS.get(option)
        if meaning is None:
            why, needed = reason_against(option)
            yield ImportedLine(name, False, why, needed)
        else:
            yield _once(name, meaning, value, changes, known)


def _once(
    name: str, meaning: Meaning, value: str, changes: Changes, known: dict[Meaning, str]
) -> ImportedLine:
    """The first value that fits counts; another one would be lost with the script."""
    if meaning in known:
        why = f"another line gives the {meaning.value} already"
        return ImportedLine(name, False, why, needed=value != known[meaning])
    finding = consider(name, meaning, value, changes)
    if finding.taken:
        known[meaning] = value
    return finding


def closing_advice(conf: Path, lines: list[ImportedLine]) -> str:
    """Whether the script's file can go: only when nothing of it is lost with it."""
    lost = [line.name for line in lines if line.needed and not line.taken]
    if lost:
        return shown(f"Do not delete {conf} yet: not taken were {', '.join(lost)}.")
    return f"After the first backup, delete {conf}: it holds secrets in the open."


def schedule_advice(lines: Sequence[CronLine]) -> list[str]:
    """What still runs the script, and what to do about it; nothing where nothing does."""
    if not lines:
        return []
    which = "this line" if len(lines) == 1 else "these lines"
    return [
        f"cron still runs the script. After the first backup, remove {which}, or two programs write one backup:",
        *(f"  {line}" for line in lines),
    ]


def _keep_filelist(filelist: Filelist, changes: Changes) -> ImportedLine:
    """Writes the lines beside the settings; one that is there with other lines is kept under another name."""
    settings, job = changes.settings, changes.job.job
    name = "exclude.txt" if len(settings.jobs) == 1 else f"exclude-{job}.txt"
    target = settings.places.config / name
    text = "".join(f"{line}\n" for line in filelist.lines)
    why = f"the lines are in {target}"
    if target.exists() and target.read_text(encoding="utf-8") != text:
        target.replace(target.with_name(name + ".before"))
        why += f"; those of before are in {name}.before"
    write_private(target, text)
    changes.set_for_job("filelist", name)
    return ImportedLine("filelist", True, why)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Problem(f"{path} cannot be read: {reason}", ExitCode.USAGE) from None

"""``panicroom import-conf``: takes over the set-up of a shell script around duplicity.

The script's file of variables is read, never run: assignments in the shell's syntax, with variables of the
same file and ``$HOME`` filled in. Names differ from script to script, so they are recognised by the words in
them. Whatever is not taken is named with the reason; no value that may be a secret is ever shown.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from panicroom.duplicity_run.gpg_keys import key_fingerprint
from panicroom.exit_codes import ExitCode, Problem
from panicroom.private_files import write_private
from panicroom.secrets import SecretStore, checked_passphrase, stored_passphrase
from panicroom.settings import JobSettings, Settings, parse_period
from panicroom.settings_file import change_settings
from panicroom.setup.passphrase_trial import Outcome, stored_jobs, try_passphrase
from panicroom.shown import shown


@dataclass(frozen=True)
class ImportedLine:
    """One line of the two files: what it is called, whether it was taken, and where to or why not.

    ``needed``: what it says is nowhere else, so the file has to stay if the line was not taken.
    """

    name: str
    taken: bool
    why: str
    needed: bool = True

    def __str__(self) -> str:
        return shown(f"{'taken    ' if self.taken else 'not taken'}  {self.name}: {self.why}")


@dataclass(frozen=True)
class Assignments:
    """``values`` by variable, and a line's number for each line that is no assignment, with the reason."""

    values: dict[str, str]
    refused: tuple[ImportedLine, ...]


_SOURCE, _PASSPHRASE, _VOLUME, _FILELIST = "source", "passphrase", "volume size", "filelist"
_FULL_EVERY, _ENCRYPT_KEY, _SIGN_KEY = "age of a full backup", "key to encrypt for", "key to sign with"

_MEANINGS: tuple[tuple[str, str | None, str], ...] = (
    # What the name contains, what it is (None: not taken), and the reason. The first that fits counts.
    (
        r"AWS.*KEY|ACCESS_?KEY|SECRET|SESSION_TOKEN|S3_KEY",
        None,
        "with AWS keys this machine could delete its backups; delete them in AWS after the first backup",
    ),
    (r"^AWS_|REGION|ENDPOINT|STORAGE_CLASS|GLACIER", None, "region and storage are the service's business"),
    (
        r"SIGN.*PASS",
        None,
        "the key to sign with has to open with the passphrase of the other, or by gpg's agent",
    ),
    (r"SIGN", _SIGN_KEY, ""),
    (r"PASSPHRASE|^PASSWORD$|GPG_?(PASS|PW)", _PASSPHRASE, ""),
    (
        r"(GPG|ENC|ENCRYPT(ION)?|PUBLIC|RECIPIENT).*KEY|KEY_?ID|RECIPIENT|^(GPG|ENCRYPT)(_TO|_FOR)?$",
        _ENCRYPT_KEY,
        "",
    ),
    (r"GPG|ENCRYPT", None, "panicroom gives gpg its options itself"),
    (r"EXCLUDE|INCLUDE|FILE_?LIST", _FILELIST, ""),
    (r"VOL(UME)?_?(SIZE|MB)", _VOLUME, ""),
    (
        r"REMOVE|RETENTION|KEEP|CLEAN|PURGE|EXPIRE",
        None,
        "the owner sets in the service how long backups are stored",
    ),
    (r"FULL", _FULL_EVERY, ""),
    (
        r"TMP|TEMP|ARCHIVE_?DIR|CACHE",
        None,
        "panicroom has its own cache folder; PANICROOM_CACHE_DIR moves it",
    ),
    (r"(^|_)LOG|VERBOS", None, "panicroom writes its own log"),
    (r"DEST|TARGET|BUCKET|URL|REMOTE|S3", None, "the service knows the bucket; its owner can adopt that one"),
    (r"PREFIX", None, "panicroom sets duplicity's prefixes itself: data_ and meta_"),
    (r"MAIL|NOTIFY", None, "the service sends the mails"),
    (r"(^|_)(SOURCE|SRC|ROOT|FROM)(_|$)|^(BACKUP|LOCAL|DATA)_?(DIR|PATH|FOLDER|DIRECTORY)$", _SOURCE, ""),
    (r"OPT|(^|_)ARG|PARAM|FLAG", None, "options of duplicity cannot be taken over; panicroom sets its own"),
)
_UNKNOWN = "panicroom has nothing of that name"

# Characters that quoting protects are put aside while shlex and the variables are at work.
_ASIDE = {"$": "\ue000", "`": "\ue001", "#": "\ue002"}
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|(?<=\S)#""")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def read_assignments(text: str, home: Path) -> Assignments:
    """The variables that a shell would have after reading ``text``, as far as it need not be run for them."""
    values: dict[str, str] = {}
    refused: list[ImportedLine] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            words = shlex.split(_QUOTED.sub(_put_aside, line), comments=True)
        except ValueError:
            refused.append(
                ImportedLine(f"line {number}", False, "a quotation mark is not closed on that line")
            )
            continue
        if words[:1] == ["export"]:
            words.pop(0)
        pairs = [_ASSIGNMENT.fullmatch(word) for word in words]
        for pair in pairs:
            if pair is None:
                refused.append(ImportedLine(f"line {number}", False, "a command; only assignments are read"))
                break
            name, raw = pair.groups()
            value = _filled_in(raw, {"HOME": str(home), **values})
            if value is None:
                refused.append(ImportedLine(name, False, "its value would have to be worked out by a shell"))
                values.pop(name, None)
                break  # what follows may be the rest of a command
            values[name] = value
    return Assignments(values, tuple(refused))


def _put_aside(match: re.Match[str]) -> str:
    text = match.group()
    for character, stand_in in _ASIDE.items():
        text = text.replace("\\" + character, stand_in)
        if not text.startswith('"'):  # in there variables count
            text = text.replace(character, stand_in)
    return text


def _filled_in(raw: str, values: dict[str, str]) -> str | None:
    """``raw`` with its variables; None where that takes a shell or a variable that is not known."""
    if "`" in raw or any((match[1] or match[2]) not in values for match in _VARIABLE.finditer(raw)):
        return None
    text = _VARIABLE.sub(lambda match: values[match[1] or match[2]], raw)
    if "$" in _VARIABLE.sub("", raw):
        return None
    for character, stand_in in _ASIDE.items():
        text = text.replace(stand_in, character)
    return values["HOME"] + text[1:] if text == "~" or text.startswith("~/") else text


@dataclass(frozen=True)
class Filelist:
    """Lines for duplicity, and what was found in them."""

    lines: tuple[str, ...]
    findings: tuple[ImportedLine, ...]


def read_filelist(text: str, source: Path) -> Filelist:
    """The ``+`` and ``-`` lines that duplicity can use for ``source``; comments stay where they are.

    duplicity ends with an error at a pattern that cannot match below the source, and at an include in the
    last place, so the first is left out and the second gets the exclude that it was meant to have.
    """
    lines: list[str] = []
    findings: list[ImportedLine] = []
    last_includes = False
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            lines.append(line)
            continue
        sign, pattern = (line[0], line[2:].strip()) if line[:2] in ("+ ", "- ") else ("-", line)
        if len(pattern) > 1 and pattern[0] == pattern[-1] and pattern[0] in "'\"":
            pattern = pattern[1:-1]
        pattern = _without_links(pattern, source)
        if not _can_match(pattern, source):
            why = f"it cannot match anything below {source}; begin it with ** or with that folder"
            findings.append(ImportedLine(f"exclude line {number}, {line}", False, why))
            continue
        lines.append(f"{sign} {pattern}")
        findings.append(
            ImportedLine(f"exclude line {number}, {line}", True, "left out" if sign == "-" else "backed up")
        )
        last_includes = sign == "+"
    if last_includes:
        lines.append("- **")
        findings.append(ImportedLine("- **", True, "added at the end: without it the + lines change nothing"))
    return Filelist(tuple(lines), tuple(findings))


def _without_links(pattern: str, source: Path) -> str:
    """duplicity is given the source with its links resolved, and compares patterns with that."""
    before, after = str(source), str(source.resolve())
    if before != after and (pattern == before or pattern.startswith(before.rstrip("/") + "/")):
        return after + pattern[len(before) :]
    return pattern


class _Root:
    """The source as duplicity's patterns see it."""

    def __init__(self, source: Path) -> None:
        self.uc_name = str(source.resolve())

    def isdir(self) -> bool:
        return True


def _can_match(pattern: str, source: Path) -> bool:
    from duplicity import globmatch  # takes a moment, and is the authority on its own patterns

    try:
        return bool(globmatch.select_fn_from_glob(pattern, 1)(_Root(source)))
    except (globmatch.GlobbingError, re.error):
        return False


@dataclass
class _Changes:
    """What is going to be written: settings as (table, key, value), and the passphrase if it is new."""

    settings: list[tuple[str, str, str | int]] = field(default_factory=list)
    passphrase: str | None = None

    def source(self, usual: Path) -> Path:
        return next((Path(str(value)) for _, key, value in self.settings if key == "source"), usual)


def import_seed(
    settings: Settings, job: JobSettings, conf: Path, exclude: Path | None, home: Path
) -> list[ImportedLine]:
    """Changes settings and secrets as the two files say; what it took and what not, line by line.

    Everything is read before anything is written. Raises ``Problem`` for a file that cannot be read.
    """
    read = read_assignments(_text(conf), home)
    findings = list(read.refused)
    changes = _Changes()
    known: set[str] = set()
    for name, value in read.values.items():
        meaning, why = _meaning(name)
        if meaning is None:
            finding = ImportedLine(name, False, why, needed=why == _UNKNOWN)
        elif meaning in known:
            finding = ImportedLine(name, False, f"another variable gives the {meaning} already")
        elif meaning == _FILELIST:
            named = exclude or conf.parent / Path(value).expanduser()
            if named.is_file():
                exclude = named
                finding = ImportedLine(name, True, f"the lines are those of {named}")
            else:
                finding = ImportedLine(name, False, "it names no file of + and - lines")
        else:
            finding = _considered(name, meaning, value, settings, job, changes)
        if finding.taken and meaning is not None:
            known.add(meaning)
        findings.append(finding)
    if exclude is not None:
        filelist = read_filelist(_text(exclude), changes.source(job.source))
        findings += [*filelist.findings, _keep_filelist(settings, job, filelist, changes)]
    if changes.passphrase is not None:
        store = SecretStore(settings.secrets, settings.places.config)
        store.put(f"{settings.machine}.passphrase", changes.passphrase)
    tables: dict[str, dict[str, str | int]] = {}
    for table, key, changed in changes.settings:
        tables.setdefault(table, {})[key] = changed
    change_settings(settings.places, tables)
    return findings


def closing_advice(conf: Path, lines: list[ImportedLine]) -> str:
    """Whether the script's file can go: only when nothing of it is lost with it."""
    lost = [line.name for line in lines if line.needed and not line.taken]
    if lost:
        return shown(f"Do not delete {conf} yet: not taken were {', '.join(lost)}.")
    return f"After the first backup, delete {conf}: it holds secrets in the open."


def _keep_filelist(
    settings: Settings, job: JobSettings, filelist: Filelist, changes: _Changes
) -> ImportedLine:
    """Writes the lines beside the settings; one that is there with other lines is kept under another name."""
    name = "exclude.txt" if len(settings.jobs) == 1 else f"exclude-{job.job}.txt"
    target = settings.places.config / name
    text = "".join(f"{line}\n" for line in filelist.lines)
    why = f"the lines are in {target}"
    if target.exists() and target.read_text(encoding="utf-8") != text:
        target.replace(target.with_name(name + ".before"))
        why += f"; those of before are in {name}.before"
    write_private(target, text)
    changes.settings.append((f"jobs.{job.job}", "filelist", name))
    return ImportedLine("filelist", True, why)


def _meaning(name: str) -> tuple[str | None, str]:
    for pattern, meaning, why in _MEANINGS:
        if re.search(pattern, name.upper()):
            return meaning, why
    return None, _UNKNOWN


def _considered(
    name: str,
    meaning: str,
    value: str,
    settings: Settings,
    job: JobSettings,
    changes: _Changes,
) -> ImportedLine:
    """Whether a value fits; one that does and belongs into the settings is added to ``changes``."""
    if meaning == _PASSPHRASE:
        return _considered_passphrase(name, value, settings, changes)
    if meaning == _VOLUME:
        size = re.fullmatch(r"\s*(\d+)\s*(?:MB?)?\s*", value, re.IGNORECASE)
        if size is None or not 1 <= int(size[1]) <= 4096:
            return ImportedLine(name, False, "it is no number of megabytes between 1 and 4096")
        changes.settings.append(("upload", "volume_mb", int(size[1])))
        return ImportedLine(name, True, f"volume_mb = {int(size[1])}")
    if meaning == _FULL_EVERY:
        return _considered_period(name, value, job, changes)
    if meaning in (_ENCRYPT_KEY, _SIGN_KEY):
        return _considered_key(name, meaning, value, settings, changes)
    source = Path(value.removeprefix("file://")).expanduser()
    if not source.is_absolute() or not source.is_dir():
        return ImportedLine(name, False, "it names no folder of this machine")
    changes.settings.append((f"jobs.{job.job}", "source", str(source)))
    return ImportedLine(name, True, f"the source of the job {job.job} is {source}")


def _considered_passphrase(name: str, value: str, settings: Settings, changes: _Changes) -> ImportedLine:
    """A passphrase is taken where it opens what is stored, or where nothing is."""
    try:
        checked_passphrase(value, "it")
    except Problem as problem:
        return ImportedLine(name, False, str(problem))
    trials = try_passphrase(settings, value)
    wrong = [trial.job for trial in trials if trial.outcome == Outcome.WRONG]
    if wrong:
        return ImportedLine(name, False, f"it does not open the stored backups of {', '.join(wrong)}")
    untried = [trial for trial in trials if trial.outcome == Outcome.UNKNOWN]
    if value == stored_passphrase(settings):
        return ImportedLine(name, True, "it is the passphrase of this machine already")
    if untried:
        return ImportedLine(name, False, f"it could not be tried on the stored backups: {untried[0].detail}")
    changes.passphrase = value
    where = "the keyring" if settings.secrets == "keyring" else "a private file beside the settings"
    return ImportedLine(name, True, f"it is now in {where}")


def _considered_period(name: str, value: str, job: JobSettings, changes: _Changes) -> ImportedLine:
    """duplicity's letters: M is a month, and minutes, hours and seconds make no sense here."""
    period = value.strip().lower()
    try:
        parse_period(period)
    except ValueError:
        return ImportedLine(name, False, "it is no period such as 90D, 12W, 3M or 1Y")
    changes.settings.append((f"jobs.{job.job}", "full_every", period))
    return ImportedLine(name, True, f'full_every = "{period}"')


def _considered_key(
    name: str, meaning: str, value: str, settings: Settings, changes: _Changes
) -> ImportedLine:
    setting, ability = ("encrypt_key", "E") if meaning == _ENCRYPT_KEY else ("sign_key", "S")
    if not value:
        return ImportedLine(name, False, "it is empty")
    try:
        fingerprint = key_fingerprint(value, ability)
    except Problem as problem:
        return ImportedLine(name, False, str(problem))
    if fingerprint == getattr(settings, setting):
        return ImportedLine(name, True, f"it is the {setting} of this machine already")
    if stored_jobs(settings):
        return ImportedLine(name, False, "this machine's stored backups are encrypted otherwise already")
    changes.settings.append(("encryption", setting, fingerprint))
    return ImportedLine(name, True, f'{setting} = "{fingerprint}"')


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Problem(f"{path} cannot be read: {reason}", ExitCode.USAGE) from None

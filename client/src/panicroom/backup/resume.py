"""What to do with a set that an earlier run left unfinished. Decisions only: nothing here touches anything.

duplicity resumes by names: it takes the volumes that are there, writes *new* signatures from today's files
over yesterday's volumes, and so restores a file wrongly that changed in between. Here a resumed set keeps

- only volumes that S3 holds byte for byte as the journal says they were made,
- for these the signatures that were written along with them (the local file is cut, not begun again),
- nothing after the first volume that cannot be vouched for: those are discarded, so that a leftover of an
  upload out of order can never pass for a volume of the resumed run.

What follows in the set is made from files that have not changed since the set began; all others are left
to the increment right after. A volume may end in the middle of a file. If that file has changed, its two
halves would not fit: the set is cut back to before it.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from panicroom.names import FileName, parse_name, sealed_sets, set_time
from panicroom.transfer.journal import JournalState, MadeVolume
from panicroom.wire import ListedFile


@dataclass(frozen=True)
class Resume:
    """A set to go on with. duplicity makes the last of ``volumes`` again (it always does) and what follows.

    ``cut``: local files of duplicity's archive folder and the length in bytes that they keep.
    ``last_kept``: the volume after which duplicity goes on.
    """

    set: str
    volumes: tuple[str, ...]
    cut: dict[str, int]
    last_kept: MadeVolume


@dataclass(frozen=True)
class Decision:
    """``discard``: names in the bucket to give up. ``remove``: local files of duplicity to delete.

    ``lost``: sets that were sealed and whose manifest is gone from the bucket, while other files of theirs are
    there. Nothing may be discarded then: somebody deleted a manifest, and its version may still be there.
    """

    resume: Resume | None
    discard: tuple[str, ...]
    remove: tuple[str, ...]
    journal: JournalState
    lost: tuple[str, ...] = ()


def decide(
    remote: Iterable[ListedFile],
    local: Mapping[str, int],
    journal: JournalState,
    source: str,
    has_changed: Callable[[MadeVolume], bool],
) -> Decision:
    """Compares the bucket, duplicity's local files (name to size in bytes) and the journal.

    ``source`` is the folder to be backed up now: a set begun on another is not gone on with.

    ``has_changed(volume)`` tells whether the file in the middle of which ``volume`` ends is another now.
    """
    listed = {file.name: file for file in remote}
    sealed = sealed_sets(listed)
    ours = {name: parsed for name in listed if (parsed := parse_name(name)) and parsed.set not in sealed}
    local_names = {name: parsed for name in local if (parsed := parse_name(name))}
    journal = replace(
        journal, volumes={name: item for name, item in journal.volumes.items() if item.source == source}
    )

    resume = _resumable(listed, sealed, local, local_names, journal, has_changed)
    kept = resume.volumes if resume else ()
    confirmed = {item.set for name, item in journal.stored.items() if _is_manifest(parse_name(name))}
    return Decision(
        resume=resume,
        discard=tuple(sorted(name for name in ours if name not in kept)),
        remove=tuple(sorted(_stale(local_names, sealed, resume))),
        journal=_still_true(journal, resume, sealed),
        lost=tuple(sorted(_lost(ours, local_names, confirmed))),
    )


def _still_true(journal: JournalState, resume: Resume | None, sealed: set[str]) -> JournalState:
    """What counts from now on: the set that is resumed, and manifests of finished sets."""
    kept = resume.volumes if resume else ()
    return JournalState(
        volumes={name: item for name, item in journal.volumes.items() if name in kept},
        stored={
            name: item
            for name, item in journal.stored.items()
            if name in kept or (_is_manifest(parse_name(name)) and item.set in sealed)
        },
        checked=journal.checked if resume and journal.checked and journal.checked.set == resume.set else None,
    )


def _is_manifest(name: FileName | None) -> bool:
    return name is not None and name.kind == "manifest" and not name.partial


def _lost(
    unsealed: Mapping[str, FileName], local_names: Mapping[str, FileName], confirmed: set[str]
) -> set[str]:
    """Sets that the journal, or duplicity's own finished manifest here, says were sealed."""
    finished_here = {
        parsed.set
        for name, parsed in local_names.items()
        if _is_manifest(parsed) and name.endswith(".manifest")
    }
    return {parsed.set for parsed in unsealed.values()} & (confirmed | finished_here)


def _stale(local_names: Mapping[str, FileName], sealed: set[str], resume: Resume | None) -> Iterable[str]:
    """Local files that would mislead duplicity.

    A partial file of a sealed set (killed between "manifest stored" and duplicity's next line) makes every
    later run try to delete that set; an encrypted file, left from sending it, is taken for the manifest
    itself. Any file of a set that is neither sealed nor resumed is of no use.
    """
    for name, parsed in local_names.items():
        if parsed.set in sealed:
            if parsed.partial or name.endswith(".gpg"):
                yield name
        elif resume is None or name not in resume.cut:
            yield name


def _resumable(
    listed: Mapping[str, ListedFile],
    sealed: set[str],
    local: Mapping[str, int],
    local_names: Mapping[str, FileName],
    journal: JournalState,
    has_changed: Callable[[MadeVolume], bool],
) -> Resume | None:
    unfinished = {item.set for item in local_names.values() if item.partial and item.set not in sealed}
    if not unfinished:
        return None
    newest = max(unfinished, key=set_time)
    if not _continues(newest, sealed):
        return None
    parts = {item.kind: name for name, item in local_names.items() if item.set == newest and item.partial}
    if "manifest" not in parts or "signatures" not in parts:
        return None
    made = {item.volume: item for item in journal.volumes.values() if item.set == newest}

    # duplicity goes on after the last volume but one; so many are there without a gap.
    last = 0
    while (volume := made.get(last + 1)) is not None and _is_stored(volume, listed, journal):
        last += 1
    last -= 1
    while last >= 1:
        signature_bytes, manifest_bytes = made[last].signature_bytes, made[last + 1].manifest_bytes
        on_disk = local[parts["signatures"]] >= signature_bytes and local[parts["manifest"]] >= manifest_bytes
        if on_disk and not (made[last].open_file is not None and has_changed(made[last])):
            return Resume(
                set=newest,
                volumes=tuple(made[number].name for number in range(1, last + 2)),
                cut={parts["signatures"]: signature_bytes, parts["manifest"]: manifest_bytes},
                last_kept=made[last],
            )
        last -= 1
    return None


def _continues(set_name: str, sealed: set[str]) -> bool:
    """Whether the set can follow what is sealed: an increment needs the set it builds on to be the newest."""
    newest = max((set_time(name) for name in sealed), default=None)
    if set_name.startswith("inc."):
        start = set_name.split(".")[1]
        return newest is not None and newest.strftime("%Y%m%dT%H%M%SZ") == start
    return newest is None or newest < set_time(set_name)


def _is_stored(volume: MadeVolume, listed: Mapping[str, ListedFile], journal: JournalState) -> bool:
    there, known = listed.get(volume.name), journal.stored.get(volume.name)
    return there is not None and known is not None and (there.etag, there.size) == (known.etag, known.size)

"""Rows of the catalogue: sets, objects, gates and quarantines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from chalicelib.adapters.stores.rows import (
    format_instant,
    instant_in,
    integer_of,
    job_sort_key,
    new_row,
    parse_instant,
    sort_key,
    unpacked,
)
from chalicelib.adapters.table import Item
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.objects import ObjectRow, StoredObject
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tallies, Tally
from chalicelib.domain.ranges import format_ranges, parse_ranges
from chalicelib.domain.sealing.gates import Gate
from chalicelib.domain.sealing.hidden import HiddenSets


def _long_name(text: str) -> str | None:
    """What a row with a shortened sort key is called."""
    return None if sort_key(text) == text else text


def job_partition(job: Job) -> str:
    return f"JOB#{job_sort_key(job.machine, job.name)}"


def objects_partition(job: Job) -> str:
    return f"OBJECTS#{job_sort_key(job.machine, job.name)}"


def set_sort_key(set_id: SetId) -> str:
    return f"SET#{set_id}"


def gate_sort_key(set_id: SetId) -> str:
    return f"GATE#{set_id}"


QUARANTINES = "QUARANTINES"
"""What is hidden, all in one partition: there is little, and a reader of all jobs must not query each."""

LETGO = "LETGO#"
"""Before the full set's name, in the key of a row that hides a whole chain at one stroke."""


def job_set_sort_key(job: Job, set_id: SetId | None) -> str:
    """The row's key; for ``None`` what all such keys of the job begin with."""
    return f"{job_sort_key(job.machine, job.name)}#{set_id or ''}"


def job_set_of(item: Item) -> tuple[str, SetId]:
    """The ``machine/job`` and its set."""
    job, _, set_name = item["sk"].partition("#")
    return job, SetId.parse(set_name)


def hidden_of(items: Iterable[Item]) -> dict[str, HiddenSets]:
    """From the rows of ``QUARANTINES``, by ``machine/job``."""
    quarantined: dict[str, set[SetId]] = defaultdict(set)
    let_go: dict[str, set[SetId]] = defaultdict(set)
    for item in items:
        job, _, rest = item["sk"].partition("#")
        if rest.startswith(LETGO):
            let_go[job].update(map(SetId.parse, unpacked(item["sets"])))
        else:
            quarantined[job].add(SetId.parse(rest))
    return {
        job: HiddenSets(frozenset(quarantined.get(job, ())), frozenset(let_go.get(job, ())))
        for job in quarantined.keys() | let_go.keys()
    }


def gate_of(item: Item | None) -> Gate:
    if item is None:
        return Gate()
    return Gate(
        begun_at=parse_instant(item.get("begun_at")),
        sealing_until=parse_instant(item.get("sealing_until")),
        sealing_sha256=item.get("sealing_sha256"),
        discarding_until=parse_instant(item.get("discarding_until")),
    )


def set_item(job: Job, backup_set: BackupSet, revision: int) -> Item:
    return new_row(
        job_partition(job),
        set_sort_key(backup_set.set_id),
        volumes=format_ranges(backup_set.volumes),
        volumes_promised=backup_set.volumes_promised,
        has_signatures=backup_set.has_signatures,
        has_jsonstat=backup_set.has_jsonstat,
        sealed_at=format_instant(backup_set.sealed_at),
        has_proof=backup_set.has_proof or None,
        manifest_removed=backup_set.manifest_removed or None,
        current=_tallies_text(backup_set.current),
        noncurrent=_tallies_text(backup_set.noncurrent),
        changed_at=format_instant(backup_set.changed_at),
        revision=revision,
    )


def set_of(item: Item) -> BackupSet:
    return BackupSet(
        set_id=SetId.parse(item["sk"].removeprefix("SET#")),
        volumes=parse_ranges(item["volumes"]),
        volumes_promised=integer_of(item.get("volumes_promised")),
        has_signatures=item["has_signatures"],
        has_jsonstat=item["has_jsonstat"],
        sealed_at=parse_instant(item.get("sealed_at")),
        has_proof=bool(item.get("has_proof")),
        manifest_removed=bool(item.get("manifest_removed")),
        current=_tallies_of(item.get("current")),
        noncurrent=_tallies_of(item.get("noncurrent")),
        changed_at=parse_instant(item.get("changed_at")),
    )


def object_item(partition: str, row: ObjectRow) -> Item:
    stored = row.stored
    noncurrent = _tallies_text(row.noncurrent)
    if stored is None:
        name = _long_name(row.name)
        return new_row(partition, row.name, name=name, sequencer=row.sequencer, noncurrent=noncurrent)
    return new_row(
        partition,
        row.name,
        name=_long_name(row.name),
        sequencer=row.sequencer,
        noncurrent=noncurrent,
        size=stored.size,
        etag=stored.etag,
        storage_class=stored.storage_class,
        stored_at=format_instant(stored.stored_at),
        version_id=stored.version_id,
        sha256=stored.sha256,
        volumes_promised=stored.volumes_promised,
        proof=stored.proof,
        storage_tag=stored.storage_tag,
    )


def object_of(item: Item) -> ObjectRow:
    noncurrent = _tallies_of(item.get("noncurrent"))
    name: str = item.get("name") or item["sk"]
    if "size" not in item:
        return ObjectRow(name, None, item["sequencer"], noncurrent, int(item["revision"]))
    stored = StoredObject(
        size=int(item["size"]),
        etag=item["etag"],
        storage_class=item["storage_class"],
        stored_at=instant_in(item, "stored_at"),
        version_id=item.get("version_id"),
        sha256=item.get("sha256"),
        volumes_promised=integer_of(item.get("volumes_promised")),
        proof=item.get("proof"),
        storage_tag=item.get("storage_tag"),
    )
    return ObjectRow(name, stored, item["sequencer"], noncurrent, int(item["revision"]))


def _tallies_text(tallies: Tallies) -> str | None:
    """``STANDARD:3:1200``, count and bytes, one after the other; nothing for none.

    Text rather than maps of lists: whoever reads 30,000 sets for a report spends most of its time on unpacking them.
    """
    return " ".join(f"{name}:{tally.count}:{tally.size_bytes}" for name, tally in tallies.items()) or None


def _tallies_of(text: str | None) -> Tallies:
    parts = (part.split(":") for part in (text or "").split())
    return {name: Tally(int(number), int(size_bytes)) for name, number, size_bytes in parts}

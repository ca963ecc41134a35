"""DynamoDB items and the domain's shapes, in both directions. One table; each row names its schema version.

pk                     sk                 what
MACHINES               <machine>          Machine
JOBS                   <machine>/<job>    Job, with its last run and its weekly reconcile
LEASES                 <machine>/<job>    Lease
CODES                  <hash>             EnrolmentCode
JOB#<machine>/<job>    SET#<set>          BackupSet, with a revision
                       GATE#<set>         Gate
                       MULTIPART#<digest> what an upload in parts was begun for
                       SEALING            the set of the job that is being sealed, and until when
                       RUN#<run>          a run as the client reported it
OBJECTS#<machine>/<job>  <file name>      ObjectRow
QUARANTINES            <machine>/<job>#<set>  a set that the owner hides from the listing
SUMMARIES              <machine>/<job>    what its sealed sets come to
OPEN_SETS              <machine>/<job>#<set>  a set that is begun and not sealed
STRAYS                 <bucket>/<key>     ObjectRow of a key that is no file of a known job
STORED#<machine>       bytes              bytes stored or permitted, every version counted
DOWNLOADS#<machine>    <day>              bytes handed out for download
UPLOADS#<machine>      <day>              permits asked for and sets begun
LOCATIONS#<bucket>     <prefix>           the job that was adopted with a bucket of its own
FINDINGS               <machine>/<job>#<code>#<subject>  what is wrong, while it is
NOTICES                <day>#<machine>/<job>#<code>  something that happened, for the owner
ALERTS                 record             what was mailed in between the weekly mails
REPORTS                <issue>            a weekly mail, being sent or sent, with its totals
DELIVERIES#<issue>     <address>          who has it
JOB_FIGURES            <issue>            its figures of each job, packed
OVER_BUDGET            <month>            the notice was recorded
"""

from __future__ import annotations

import hashlib
import json
import zlib
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from chalicelib.adapters.table import Item
from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding, OpenFinding
from chalicelib.domain.backups.leases import Lease
from chalicelib.domain.backups.machines import EnrolmentCode, Job, LastRun, Machine, ReconcileProgress
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import (
    BackupSet,
    ObjectRow,
    StoredObject,
    Tallies,
    Tally,
    format_ranges,
    parse_ranges,
)
from chalicelib.domain.backups.storage import StoragePolicy
from chalicelib.domain.backups.uploads import Gate

SCHEMA_VERSION = 1


def format_instant(instant: datetime | None) -> str | None:
    """ISO 8601 in UTC with microseconds, so that texts sort as the times do."""
    if instant is None:
        return None
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_instant(text: str | None) -> datetime | None:
    return None if text is None else instant_of(text)


def instant_of(text: str) -> datetime:
    """The reverse of ``format_instant``; raises ``ValueError``."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=timezone.utc)


def packed(value: object) -> bytes:
    """As compressed JSON: much of it fits into the 400 KB that a row may have."""
    return zlib.compress(json.dumps(value).encode())


def unpacked(attribute: Any) -> Any:
    """The reverse of ``packed``, of bytes or of what DynamoDB returns them as."""
    return json.loads(zlib.decompress(bytes(attribute)))


def _instant(item: Item, name: str) -> datetime:
    instant = parse_instant(item[name])
    if instant is None:
        raise ValueError(f"{name} is missing in {item['pk']} {item['sk']}")
    return instant


def _integer(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


def _row(pk: str, sk: str, **fields: object) -> Item:
    kept = {name: value for name, value in fields.items() if value is not None}
    return {"pk": pk, "sk": sort_key(sk), "schema": SCHEMA_VERSION, **kept}


MAX_SORT_KEY_BYTES = 1024
"""DynamoDB's limit. A key in S3 may be as long itself, and more stands before it."""


def sort_key(text: str) -> str:
    """``text``, or what it begins with and its digest where DynamoDB would not take it."""
    encoded = text.encode()
    if len(encoded) <= MAX_SORT_KEY_BYTES:
        return text
    digest = hashlib.sha256(encoded).hexdigest()
    return f"{encoded[: MAX_SORT_KEY_BYTES - 65].decode(errors='ignore')}#{digest}"


def _long_name(text: str) -> str | None:
    """What a row with a shortened sort key is called."""
    return None if sort_key(text) == text else text


# ---------------------------------------------------------------- machines and jobs


def machine_item(machine: Machine) -> Item:
    return _row(
        "MACHINES",
        machine.name,
        created_at=format_instant(machine.created_at),
        token_sha256=machine.token_sha256,
        code_issued_at=format_instant(machine.code_issued_at),
        revoked_at=format_instant(machine.revoked_at),
        paused_at=format_instant(machine.paused_at),
        paused_until=format_instant(machine.paused_until),
        last_used_at=format_instant(machine.last_used_at),
        storage_cap_bytes=machine.storage_cap_bytes,
        download_cap_bytes=machine.download_cap_bytes,
        owner_mail=machine.owner_mail,
    )


def machine_of(item: Item) -> Machine:
    return Machine(
        name=item["sk"],
        created_at=_instant(item, "created_at"),
        token_sha256=item.get("token_sha256"),
        code_issued_at=parse_instant(item.get("code_issued_at")),
        revoked_at=parse_instant(item.get("revoked_at")),
        paused_at=parse_instant(item.get("paused_at")),
        paused_until=parse_instant(item.get("paused_until")),
        last_used_at=parse_instant(item.get("last_used_at")),
        storage_cap_bytes=int(item["storage_cap_bytes"]),
        download_cap_bytes=int(item["download_cap_bytes"]),
        owner_mail=item.get("owner_mail"),
    )


def job_sort_key(machine: str, job: str) -> str:
    return f"{machine}/{job}"


def job_item(job: Job) -> Item:
    return _row(
        "JOBS",
        job_sort_key(job.machine, job.name),
        bucket=job.location.bucket,
        prefix=job.location.prefix,
        period_seconds=job.period_seconds,
        grace_seconds=job.grace_seconds,
        archive_class=job.storage.archive_class,
        archive_after_days=job.storage.archive_after_days,
        last_run=last_run_map(job.last_run) if job.last_run else None,
        added_at=format_instant(job.added_at),
        proofs_since=format_instant(job.proofs_since),
    )


def job_of(item: Item) -> Job:
    machine, _, name = item["sk"].partition("/")
    return Job(
        machine=machine,
        name=name,
        location=Location(item["bucket"], item["prefix"]),
        period_seconds=int(item["period_seconds"]),
        grace_seconds=int(item["grace_seconds"]),
        storage=StoragePolicy(item["archive_class"], int(item["archive_after_days"])),
        last_run=_last_run_of(item["last_run"]) if "last_run" in item else None,
        reconcile=_reconcile_of(item["reconcile"]) if "reconcile" in item else None,
        added_at=parse_instant(item.get("added_at")),
        proofs_since=parse_instant(item.get("proofs_since")),
        false_proofs=frozenset(item.get("false_proofs", ())),
    )


_RUN_NUMBERS = (
    "exit_code",
    "estimated_bytes",
    "source_files",
    "source_bytes",
    "earlier_source_files",
    "earlier_source_bytes",
)


def last_run_map(last_run: LastRun) -> Item:
    fields = {
        "run": last_run.run,
        "kind": last_run.kind,
        "started_at": format_instant(last_run.started_at),
        "ended_at": format_instant(last_run.ended_at),
        **{name: getattr(last_run, name) for name in _RUN_NUMBERS},
    }
    return {name: value for name, value in fields.items() if value is not None}


def _last_run_of(fields: Item) -> LastRun:
    return LastRun(
        run=fields["run"],
        kind=fields["kind"],
        started_at=instant_of(fields["started_at"]),
        ended_at=parse_instant(fields.get("ended_at")),
        **{name: _integer(fields.get(name)) for name in _RUN_NUMBERS},
    )


def reconcile_map(comparison: ReconcileProgress) -> Item:
    return {
        "begun_at": format_instant(comparison.begun_at),
        "after": comparison.after,
        "done_at": format_instant(comparison.done_at),
    }


def _reconcile_of(fields: Item) -> ReconcileProgress:
    return ReconcileProgress(
        instant_of(fields["begun_at"]), fields["after"], parse_instant(fields["done_at"])
    )


def code_item(code: EnrolmentCode) -> Item:
    return _row(
        "CODES",
        code.code_sha256,
        machine=code.machine,
        expires_at=format_instant(code.expires_at),
        # Kept a month beyond its life, so that a second use is noticed as one.
        expires_at_epoch=int(code.expires_at.timestamp()) + 30 * 86_400,
        secret_sha256=code.secret_sha256,
    )


def code_of(item: Item) -> EnrolmentCode:
    return EnrolmentCode(item["sk"], item["machine"], _instant(item, "expires_at"), item.get("secret_sha256"))


def lease_of(item: Item) -> Lease:
    return Lease(item["run"], _instant(item, "expires_at"))


# ---------------------------------------------------------------- the catalogue


def job_partition(job: Job) -> str:
    return f"JOB#{job_sort_key(job.machine, job.name)}"


def objects_partition(job: Job) -> str:
    return f"OBJECTS#{job_sort_key(job.machine, job.name)}"


def set_sort_key(set_id: SetId) -> str:
    return f"SET#{set_id}"


def gate_sort_key(set_id: SetId) -> str:
    return f"GATE#{set_id}"


QUARANTINES = "QUARANTINES"
"""All in one partition: there are few, and a reader of all jobs must not query each."""


def quarantine_sort_key(job: Job, set_id: SetId | None) -> str:
    """The row's key; for ``None`` what all such keys of the job begin with."""
    return f"{job_sort_key(job.machine, job.name)}#{set_id or ''}"


def quarantined_set_of(item: Item) -> tuple[str, SetId]:
    """The ``machine/job`` and its set."""
    job, _, set_name = item["sk"].partition("#")
    return job, SetId.parse(set_name)


OF_NO_JOB = "/#"
"""What the keys of findings about a bucket as a whole begin with."""


def finding_item(finding: Finding, opened_at: datetime) -> Item:
    return _row(
        "FINDINGS",
        finding.key,
        code=finding.code,
        machine=finding.machine,
        job=finding.job,
        subject=finding.subject,
        opened_at=format_instant(opened_at),
        **finding_details(finding),
    )


def finding_details(finding: Finding) -> Item:
    """What may change while a finding lasts."""
    return {
        "severity": finding.severity.value,
        "message": finding.message,
        "advice": finding.advice,
        "evidence": finding.evidence,
        "commands": list(finding.commands),
    }


def open_finding_of(item: Item) -> OpenFinding:
    finding = Finding(
        code=item["code"],
        severity=Severity(item["severity"]),
        machine=item["machine"],
        job=item["job"],
        subject=item["subject"],
        message=item["message"],
        advice=item["advice"],
        evidence=item.get("evidence", ""),
        commands=tuple(item.get("commands", ())),
    )
    return OpenFinding(finding, _instant(item, "opened_at"))


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
    return _row(
        job_partition(job),
        set_sort_key(backup_set.set_id),
        volumes=format_ranges(backup_set.volumes),
        volumes_promised=backup_set.volumes_promised,
        has_signatures=backup_set.has_signatures,
        has_jsonstat=backup_set.has_jsonstat,
        sealed_at=format_instant(backup_set.sealed_at),
        has_proof=backup_set.has_proof or None,
        current=_tallies_text(backup_set.current),
        noncurrent=_tallies_text(backup_set.noncurrent),
        changed_at=format_instant(backup_set.changed_at),
        revision=revision,
    )


def set_of(item: Item) -> BackupSet:
    return BackupSet(
        set_id=SetId.parse(item["sk"].removeprefix("SET#")),
        volumes=parse_ranges(item["volumes"]),
        volumes_promised=_integer(item.get("volumes_promised")),
        has_signatures=item["has_signatures"],
        has_jsonstat=item["has_jsonstat"],
        sealed_at=parse_instant(item.get("sealed_at")),
        has_proof=bool(item.get("has_proof")),
        current=_tallies_of(item.get("current")),
        noncurrent=_tallies_of(item.get("noncurrent")),
        changed_at=parse_instant(item.get("changed_at")),
    )


def object_item(partition: str, row: ObjectRow) -> Item:
    stored = row.stored
    noncurrent = _tallies_text(row.noncurrent)
    if stored is None:
        name = _long_name(row.name)
        return _row(partition, row.name, name=name, sequencer=row.sequencer, noncurrent=noncurrent)
    return _row(
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
        stored_at=_instant(item, "stored_at"),
        version_id=item.get("version_id"),
        sha256=item.get("sha256"),
        volumes_promised=_integer(item.get("volumes_promised")),
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

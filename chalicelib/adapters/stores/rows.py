"""DynamoDB items and the domain's shapes, in both directions. One table; each row names its schema version.

pk                     sk                 what
MACHINES               <machine>          Machine
JOBS                   <machine>/<job>    Job, with its last run, its drills and its weekly reconcile
FAMILIES               <machine>/<family> Family
LEASES                 <machine>/<job>    Lease
CODES                  <hash>             EnrolmentCode
JOB#<machine>/<job>    SET#<set>          BackupSet, with a revision
                       GATE#<set>         Gate
                       MULTIPART#<digest> what an upload in parts was begun for
                       SEALING            the set of the job that is being sealed, and until when
                       RUN#<run>          a run as the client reported it
OBJECTS#<machine>/<job>  <file name>      ObjectRow
QUARANTINES            <machine>/<job>#<set>  a set that the owner hides from the listing
                       <machine>/<job>#LETGO#<chain>  LetGo: a chain that is hidden as a whole
RETENTION              <machine>/<job>    OwnerChoices
ANNOUNCED              <machine>/<job>#<chain>  the weekly mails that named a chain before it goes
ENROLMENTS             <machine>#<time>   that somebody enrolled as that machine
FETCHED                <machine>/<job>#<set>  the day on which a volume of the set was last fetched
SUMMARIES              <machine>/<job>    what its sealed sets come to
OPEN_SETS              <machine>/<job>#<set>  a set that is begun and not sealed
STRAYS                 <bucket>/<key>     ObjectRow of a key that is no file of a known job
STORED#<machine>       bytes              bytes stored or permitted, every version counted
DOWNLOADS#<machine>    <day>              bytes handed out for download
UPLOADS#<machine>      <day>              permits asked for and sets begun
LOCATIONS#<bucket>     <prefix>           the job that was adopted with a bucket of its own
FINDINGS               <machine>/<job>#<code>#<subject>  what is wrong, while it is
NOTICES                <day>#<machine>/<job>#<code>  something that happened, for 400 days; a thaw's #<id>
ALERTS                 record             what was mailed in between the weekly mails
REPORTS                <issue>            a weekly mail, being sent or sent, with its totals
DELIVERIES#<issue>     <address>          who has it
JOB_FIGURES            <issue>            its figures of each job, packed
THAW_PLANS#<machine>/<job>  <thaw>       the volumes of a plan
                       <thaw>#asked       those of its volumes that its start paid for, and those it waits for
THAWS                  <machine>/<job>#<thaw>  Thaw
THAW_JOBS              <machine>/<job>    the thaw that was started last, and the events that have come for it
THAW_MONTHS#<machine>  <month>            what its thaws have come to
                       <month>#listed     LIST requests for them
                       <day>#plans        plans made on that day; both end in #readers for recovery codes
JOURNAL#<month>        <time>#<number>#<random>  JournalEntry, for 400 days
OVER_BUDGET            <month>            the notice was recorded
RECOVERIES             <machine>          Recovery, with its readers
RECOVERY_TRIES#<hour>  <address>          recovery codes tried from there
                       of <machine>       wrong ones for it
"""

from __future__ import annotations

import hashlib
import json
import zlib
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from chalicelib.adapters.table import Item

SCHEMA_VERSION = 1


def format_instant(instant: datetime | None) -> str | None:
    """ISO 8601 in UTC with microseconds, so that texts sort as the times do."""
    if instant is None:
        return None
    return instant.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


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


def instant_in(item: Item, name: str) -> datetime:
    instant = parse_instant(item[name])
    if instant is None:
        raise ValueError(f"{name} is missing in {item['pk']} {item['sk']}")
    return instant


def integer_of(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


def new_row(pk: str, sk: str, **fields: object) -> Item:
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


def job_sort_key(machine: str, job: str) -> str:
    return f"{machine}/{job}"

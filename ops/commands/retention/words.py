"""What is said of chains: days, sums, and what becomes of each, in words that need no documents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from chalicelib.domain.mail.phrases import count, format_bytes, format_small_money
from chalicelib.domain.retention.limits import GRACE
from chalicelib.owner_wire import ChainRow, JobRetention, LetGoRow, moment_of

WHAT_A_CHAIN_IS = (
    "A chain is a full backup with all increments that continue it: they need each other, and go together."
)
WHAT_APPROVING_DOES = (
    "By approving you say: I have seen these backups, and they are mine. Nothing goes at once, and nothing ever goes"
    " that has no newer one among them. Not approving costs money only."
)
WHEN_IT_IS_FINAL = (
    f"What goes is hidden at once, and is final, that is removed for good, {GRACE.days} days later. Until then you can"
    " bring it back:"
)
BRING_BACK = "retention undo MACHINE JOB CHAIN"

UNDER_WAY = ("going", "hidden", "undoing", "dropping")


def day(text: str, zone: tzinfo) -> str:
    """``3 Mar 2026``."""
    return f"{moment_of(text).astimezone(zone):%d %b %Y}".lstrip("0")


def zone_of(name: str) -> tzinfo:
    return ZoneInfo(name)


def days_of(row: ChainRow, zone: tzinfo) -> str:
    """``1 Mar 2026 to 28 Aug 2026``: when its first and its newest set were stored."""
    first, newest = day(row.first_at, zone), day(row.newest_at, zone)
    return first if first == newest else f"{first} to {newest}"


def size_of(row: ChainRow) -> tuple[str, str, str]:
    monthly = "price not known" if row.monthly is None else f"{money(row.monthly)} a month"
    return count(row.sets, "set"), format_bytes(row.bytes), monthly


def money(usd: float | Decimal) -> str:
    return format_small_money(Decimal(str(usd)))


def becomes(row: ChainRow, zone: tzinfo, *, is_newest: bool = False) -> str:
    """What becomes of a chain, why, and when. Locks are known only to the function that lets chains go."""
    reason = f" {row.reason}" if row.reason else ""
    goes = day(row.goes_on, zone) if row.goes_on else ""
    final = day(row.final_on, zone) if row.final_on else ""
    named = " You have named it." if row.named else ""
    if row.verdict == "goes":
        return f"Goes at the next run, on {goes}, unless Object Lock keeps it still; final on {final}."
    if row.verdict == "needs_you":
        return f"Waits for you.{reason}{named}"
    if row.why == "held":
        return f"Stays.{reason}"
    if row.verdict == "stays":
        return "Stays: it is the newest." if is_newest else f"Stays.{reason}"
    when = f" It goes on {goes} at the earliest, and would be final on {final}." if goes else ""
    return f"Waits.{reason}{when}{named}"


def gone_words(row: LetGoRow, zone: tzinfo) -> str:
    """A chain that was let go, in one sentence."""
    what = f"{row.chain} ({count(len(row.sets), 'set')}, {format_bytes(row.bytes)})"
    final, begun = day(row.final_on, zone), day(row.begun_at, zone)
    return {
        "going": f"{what} is being let go since {begun}.",
        "hidden": f"{what} was let go on {begun}: it can be brought back until {final}, when it is final.",
        "undoing": f"{what} is being brought back, and is not whole yet: type the undo again.",
        "dropping": f"{what} was removed by you on {begun}, and not all of it is gone: type the drop again.",
        "gone": f"{what} was let go on {begun} and is gone for good.",
    }[row.state]


def says_something(job: JobRetention) -> bool:
    """Whether there is more to say of it than that its newest chain stays."""
    return bool(
        job.held
        or any(row.verdict != "stays" or row.held for row in job.chains)
        or any(row.state in UNDER_WAY for row in job.let_go)
    )


def needs_look(job: JobRetention) -> bool:
    """Whether approving changes what may become of a chain, now or later."""
    unseen = any(not row.seen for row in job.chains)
    return any(row.verdict == "needs_you" for row in job.chains) or (unseen and len(job.chains) > 1)


def differences(before: JobRetention, after: JobRetention, zone: tzinfo) -> Sequence[str]:
    """What has changed in a list since it was shown."""
    old = {row.chain: row for row in before.chains}
    new = {row.chain: row for row in after.chains}
    found = [f"{name} is new, stored on {day(new[name].first_at, zone)}" for name in new if name not in old]
    found += [f"{name} is not there any more" for name in old if name not in new]
    for name in old.keys() & new.keys():
        was, now = old[name], new[name]
        if (was.sets, was.bytes, was.newest_at) != (now.sets, now.bytes, now.newest_at):
            found.append(
                f"{name} had {count(was.sets, 'set')}, {format_bytes(was.bytes)}; now {count(now.sets, 'set')},"
                f" {format_bytes(now.bytes)}"
            )
    return sorted(found) or ["what you have said of it (a hold, or another approval)"]

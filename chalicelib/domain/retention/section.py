"""The part of the weekly mail about chains that are let go, as texts ready to be shown."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal

from chalicelib.domain.audit.findings import at_stage, command
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.mail.phrases import (
    count,
    format_bytes,
    format_date,
    format_moment,
    format_money,
)
from chalicelib.domain.mail.report_parts import LettingGoSection, PricedLine
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.domain.retention.outlook import ChainOutlook

LINES_SHOWN = 10

LOOKS_SHOWN = 3
"""Where more backups wait for a look, they are one line, with the command for all."""


def describe_letting_go(
    outlooks: Iterable[ChainOutlook],
    let_gos: Sequence[LetGo],
    *,
    since: datetime,
    now: datetime,
    zone: tzinfo,
    stage: str,
    to_the_owner: bool = True,
) -> LettingGoSection | None:
    """None where there is nothing to say. ``since`` is when the last mail was written. ``to_the_owner``: whether its
    reader has AWS rights, and so can type the commands.

    What waits for the owner comes first; then what goes, those first that a mail has named already, so that a long
    list moves on.
    """
    writer = _Lines(since, now, zone, stage, to_the_owner)
    known = list(outlooks)
    going = sorted((one for one in known if one.goes_at is not None), key=_turn)
    looks = list(writer.looks([one for one in known if one.needs_owner]))
    lines = [
        *looks,
        *map(writer.going, going),
        *(writer.staying(one) for one in known if one.goes_at is None and not one.needs_owner),
        *writer.hidden(let_gos),
        *writer.gone(let_gos),
    ]
    if not lines:
        return None
    more = len(lines) - LINES_SHOWN
    return LettingGoSection(
        lines=tuple(lines[:LINES_SHOWN]),
        more=f"and {more:,} more" + writer.typed(": ", "preview") if more > 0 else "",
        named=tuple((one.job, one.chain) for one in going[: LINES_SHOWN - len(looks)]),
    )


def _turn(one: ChainOutlook) -> tuple[int, datetime | None, str, str]:
    return -one.named, one.goes_at, one.job.machine, one.job.name


@dataclasses.dataclass(frozen=True)
class _Lines:
    since: datetime
    now: datetime
    zone: tzinfo
    stage: str
    to_the_owner: bool

    def typed(self, before: str, *words: str) -> str:
        """The command, for a reader who can type it."""
        (line,) = at_stage([command("python", "-m", "ops", "retention", *words)], self.stage)
        return before + line if self.to_the_owner else ""

    def looks(self, waiting: Sequence[ChainOutlook]) -> Iterator[PricedLine]:
        """A line a job, and one for each chain that the owner has to name."""
        together: dict[tuple[Job, SetId | None], list[ChainOutlook]] = defaultdict(list)
        for one in waiting:
            together[one.job, one.chain if one.wants_name else None].append(one)
        whose = "you" if self.to_the_owner else "whoever runs panicroom for you"
        if len(together) > LOOKS_SHOWN:
            note = f"Wait for {whose} to look at them. Until then they stay, and are billed."
            name = count(len({one.job for one in waiting}), "backup")
            yield PricedLine(name, "", _money(waiting), _in_all(waiting), note, self.typed("", "approve"))
            return
        for (job, chain), chains in together.items():
            note = f"Waits for {whose}." + (f" {chains[0].reason}" if self.to_the_owner else "")
            typed = self.typed("", "approve", job.machine, job.name, *([str(chain)] if chain else []))
            what = self._chain(chains[0]) if chain else _in_all(chains)
            yield PricedLine(job.machine, job.name, _money(chains), what, note, typed)

    def going(self, one: ChainOutlook) -> PricedLine:
        assert one.goes_at is not None
        assert one.final_at is not None
        note = (
            f"Goes on {self._day(one.goes_at)} or later; gone for good on {self._day(one.final_at)} or later."
        )
        typed = self.typed("", "hold", one.job.machine, one.job.name, str(one.chain))
        note += " To keep it:" if typed else ""
        return PricedLine(one.job.machine, one.job.name, _money([one]), self._chain(one), note, typed)

    def staying(self, one: ChainOutlook) -> PricedLine:
        note = f"Was to go, and stays for now. {one.reason}"
        return PricedLine(one.job.machine, one.job.name, "", self._chain(one), note)

    def hidden(self, let_gos: Iterable[LetGo]) -> Iterator[PricedLine]:
        """Those that can still be brought back; what the owner dropped cannot."""
        for let_go in let_gos:
            if let_go.dropped or let_go.final_at <= self.now:
                continue
            typed = self.typed("", "undo", let_go.machine, let_go.job, str(let_go.chain))
            note = f"Can be brought back until {format_moment(let_go.final_at, self.zone)}"
            if let_go.undone_at is not None:
                note = f"Is being brought back since {format_moment(let_go.undone_at, self.zone)}"
                note += ". If that has stopped" if typed else ""
            yield self._row(let_go, note + (":" if typed else "."), typed)

    def gone(self, let_gos: Iterable[LetGo]) -> Iterator[PricedLine]:
        """Since the last mail."""
        for let_go in let_gos:
            if let_go.dropped and self.since < let_go.begun_at <= self.now:
                by = (
                    "with AWS credentials of yours"
                    if self.to_the_owner
                    else "by whoever runs panicroom for you"
                )
                yield self._row(let_go, f"Removed {by} on {self._day(let_go.begun_at)}.")
            elif not let_go.dropped and let_go.undone_at is None and self.since < let_go.final_at <= self.now:
                yield self._row(let_go, f"Gone for good since {self._day(let_go.final_at)}.")

    def _row(self, one: LetGo, note: str, typed: str = "") -> PricedLine:
        what = f"{self._sets(one.chain, len(one.sets))}, {format_bytes(one.size_bytes)}"
        return PricedLine(
            one.machine, one.job, "", f"{what}, let go on {self._day(one.begun_at)}", note, typed
        )

    def _chain(self, one: ChainOutlook) -> str:
        return f"{self._sets(one.chain, one.sets)}, {format_bytes(one.size_bytes)}"

    def _sets(self, chain: SetId, sets: int) -> str:
        of_day = f"of {self._day(chain.end)}"
        if not chain.is_full:
            return f"Increment {of_day}"
        return f"Full backup {of_day}" + (f" and {count(sets - 1, 'increment')}" if sets > 1 else "")

    def _day(self, moment: datetime) -> str:
        return format_date(moment, self.zone)


def _in_all(chains: Sequence[ChainOutlook]) -> str:
    size_bytes = sum(chain.size_bytes for chain in chains)
    return f"{count(len(chains), 'old chain')}, {format_bytes(size_bytes)}"


def _money(chains: Sequence[ChainOutlook]) -> str:
    known = [chain.monthly for chain in chains if chain.monthly is not None]
    return f"saves {format_money(sum(known, Decimal(0)))} a month" if len(known) == len(chains) else ""

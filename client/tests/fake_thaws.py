"""The thaws of the fake service: prices that are easy to compute, and states that a test sets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from panicroom.names import parse_name
from panicroom.thaw.volumes import numbers_in

CENTS_A_VOLUME = {"Expedited": 10, "Standard": 3, "Bulk": 1}
HOURS = {"Expedited": 1, "Standard": 12, "Bulk": 48}


def later(hours: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def refusal(code: str, message: str) -> tuple[int, Any]:
    forbidden = ("thaw_budget", "price_unknown", "drill_allowance")
    status = {"unknown_thaw": 404, "thaw_cap": 429, **dict.fromkeys(forbidden, 403)}.get(code, 409)
    return status, {"error": code, "message": message}


@dataclass
class FakeThaws:
    """``archived`` are the names of files in ``storage_class``; of these ``copies`` can be read, and
    ``under_way`` are being thawed. ``asked`` are the names for which S3 was asked, in order; ``requests`` the calls."""

    names: Callable[[], dict[str, int]]
    """The stored files of the job, with their sizes."""

    storage_class: str = "DEEP_ARCHIVE"
    archived: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    under_way: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    thaws: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: list[int | None] = field(default_factory=list)
    """How fast the client said that it downloads, at each plan."""

    plans_left: int = 20
    budget_usd: float = 100.0
    drill_allowance_usd: float = 1.0
    price_known: bool = True
    dearer_by: float = 0.0
    """Added to the price of a start: a price that has changed since the plan."""

    transfer: dict[str, Any] | None = None
    """What leaving AWS costs, as a plan says it; none of it is in the offers."""

    on_look: Callable[[], None] = lambda: None
    """Called before each look at a thaw."""

    def class_of(self, name: str) -> str:
        return self.storage_class if name in self.archived else "STANDARD"

    def is_archived(self, name: str) -> bool:
        return name in self.archived and name not in self.copies

    def finish(self) -> None:
        """All that S3 was asked for can be read."""
        self.copies |= self.under_way
        self.under_way.clear()

    def lapse(self, *names: str) -> None:
        """The copies of these, else of all, are gone."""
        self.copies -= set(names) if names else set(self.copies)

    def plan(
        self, volumes: list[dict[str, str]], job: str = "system", line: int | None = None
    ) -> tuple[int, Any]:
        self.requests.append("plan")
        self.lines.append(line)
        if self.plans_left <= 0:
            return refusal("thaw_cap", "this machine has planned 20 thaws today; try again tomorrow")
        self.plans_left -= 1
        text = "\n".join(f"{item['set']} {item['numbers']}" for item in volumes)
        thaw = hashlib.sha256(text.encode()).hexdigest()[:20]
        wanted = {(item["set"], number) for item in volumes for number in numbers_in(item["numbers"])}
        names = {name for name in self.names() if (key := _key(name)) is not None and key in wanted}
        known = self.thaws.setdefault(thaw, {"state": "planned", "names": names, "job": job})
        if known["state"] in ("lapsed", "ended"):
            known["state"] = "planned"
        return 200, self._answer(thaw, known, names, len(wanted))

    def _answer(self, thaw: str, known: dict[str, Any], names: set[str], wanted: int) -> Any:
        archived = {name for name in names if self.is_archived(name) and name not in self.under_way}
        thawing = names & self.under_way
        sizes = self.names()
        offers = [
            self._offer(tier, len(archived))
            for tier in CENTS_A_VOLUME
            if tier != "Expedited" or self.storage_class == "GLACIER"
        ]
        if not archived:
            offers = [{"ready_by": later(0), "usd": 0.0, "transfer_usd": 0.0}]
        return {
            "thaw": thaw,
            "state": self._state(known),
            "bytes": sum(sizes[name] for name in names),
            "archived_bytes": sum(sizes[name] for name in archived),
            "archived": len(archived),
            "thawing": len(thawing),
            "readable": len(names) - len(archived) - len(thawing),
            "missing": ["some"] * (wanted - len(names)),
            "tiers": offers,
            "needs_approval": all(offer.get("needs_approval", False) for offer in offers),
            "left_usd": self.budget_usd,
            "month_usd": 0.0012,
            "transfer": self.transfer,
        }

    def _offer(self, tier: str, count: int) -> dict[str, Any]:
        usd = self._price(tier, count) if self.price_known else None
        return {
            "tier": tier,
            "ready_by": later(HOURS[tier]),
            "usd": usd,
            "transfer_usd": None if usd is None else 0.0,
            "readable_until": later(HOURS[tier] + 72),
            "needs_approval": usd is None or usd > self.budget_usd,
        }

    def _price(self, tier: str, count: int) -> float:
        return round(CENTS_A_VOLUME[tier] * count / 100, 4)

    def start(self, thaw: str, body: Any) -> tuple[int, Any]:
        self.requests.append("start")
        known = self.thaws.get(thaw)
        if known is None:
            return refusal("unknown_thaw", "there is no such plan, or it is a day old; plan again")
        if self._state(known) in ("asking", "thawing", "ready"):
            known["drill"] = known.get("drill", False) and bool(body.get("drill"))  # a restore takes it over
            return 200, self._status(thaw)
        tier = body["tier"]
        if tier == "Expedited" and self.storage_class == "DEEP_ARCHIVE":
            return refusal("tier_unavailable", "Deep Archive has no such tier")
        is_drill = bool(body.get("drill"))
        others = self._open_others(known, is_drill)
        archived = {name for name in known["names"] if self.is_archived(name)} - self.under_way
        if others and archived:
            return refusal("thaw_in_progress", f"the thaw {others[0]} is in progress")
        usd = self._price(tier, len(archived)) + (self.dearer_by if archived else 0)
        if usd > body["max_usd"] + 1e-9 and self.price_known:
            self.dearer_by = 0.0
            return refusal("plan_changed", f"it costs ${usd:.2f} by now")
        if is_drill and (tier != "Bulk" or usd > self.drill_allowance_usd or not self.price_known):
            return refusal("drill_allowance", "the allowance for drills is used up this month")
        known.update(tier=tier, usd=usd, ready_by=later(HOURS[tier]), drill=is_drill)
        self.drill_allowance_usd -= usd if is_drill else 0
        if archived and not is_drill and (usd > self.budget_usd or not self.price_known):
            known["state"] = "waiting"
            code = "thaw_budget" if self.price_known else "price_unknown"
            return refusal(code, f"the owner has to approve it: python -m ops thaw approve {thaw}")
        self._ask(known)
        return 200, self._status(thaw)

    def _open_others(self, known: dict[str, Any], is_drill: bool) -> list[str]:
        """The other thaws that are open; a restore ends those of drills, whose volumes thaw on."""
        others = {
            key: one for key, one in self.thaws.items() if one is not known and one["job"] == known["job"]
        }
        for one in others.values():
            if not is_drill and one.get("drill") and self._state(one) == "thawing":
                one["state"] = "ended"
        return [key for key, one in others.items() if self._state(one) == "thawing"]

    def approve(self) -> None:
        for known in self.thaws.values():
            if known["state"] == "waiting":
                self._ask(known)

    def _ask(self, known: dict[str, Any]) -> None:
        wanted = {name for name in known["names"] if self.is_archived(name)} - self.under_way
        self.asked += sorted(wanted)
        self.under_way |= wanted
        known["state"] = "thawing"

    def look(self, thaw: str) -> tuple[int, Any]:
        self.requests.append("look")
        self.on_look()
        if thaw not in self.thaws:
            return refusal("unknown_thaw", "there is no such thaw; plan again")
        return 200, self._status(thaw)

    def _status(self, thaw: str) -> Any:
        known = self.thaws[thaw]
        of = [name for name in known["names"] if name in self.archived]
        return {
            "thaw": thaw,
            "state": self._state(known),
            "done": sum(name in self.copies for name in of),
            "of": len(of),
            "tier": known.get("tier"),
            "usd": known.get("usd"),
            "ready_by": known.get("ready_by"),
            "readable_until": later(72) if self._state(known) == "ready" else None,
            "message": known.get("message"),
        }

    def _state(self, known: dict[str, Any]) -> str:
        if known["state"] == "thawing" and not any(self.is_archived(name) for name in known["names"]):
            known["state"] = "ready"
        return str(known["state"])


def _key(name: str) -> tuple[str, int] | None:
    parsed = parse_name(name)
    return (parsed.set, parsed.volume) if parsed is not None and parsed.volume is not None else None

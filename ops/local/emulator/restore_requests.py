"""RestoreObject requests as S3 reads them, and what it refuses and MiniStack does not."""

from __future__ import annotations

import dataclasses

from defusedxml import ElementTree

SPEEDS = {"Bulk": 0, "Standard": 1, "Expedited": 2}


@dataclasses.dataclass(frozen=True)
class Answer:
    """An error as S3 would send it."""

    status: int
    code: str
    message: str


@dataclasses.dataclass(frozen=True)
class WantedRestore:
    """What a RestoreObject asks for; ``days`` is None where it says none that can be read, which MiniStack refuses."""

    tier: str = "Standard"
    days: int | None = None


def read_request(body: bytes) -> WantedRestore:
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return WantedRestore()
    texts = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}
    days = texts.get("Days", "")
    is_number = days.removeprefix("-").isdigit()
    return WantedRestore(texts.get("Tier", "Standard"), int(days) if is_number else None)


def refusal(request: WantedRestore, storage_class: str) -> Answer | None:
    """Why S3 would not even look at the object's state; None if it would."""
    if request.tier not in SPEEDS:
        return Answer(400, "MalformedXML", "There is no such tier")
    if request.days is not None and request.days < 1:
        return Answer(400, "InvalidArgument", "Days must be at least 1")
    if storage_class == "DEEP_ARCHIVE" and request.tier == "Expedited":
        return Answer(400, "InvalidArgument", "Expedited retrievals are not available for DEEP_ARCHIVE")
    return None


def is_upgrade(request: WantedRestore, running_tier: str) -> bool:
    return SPEEDS[request.tier] > SPEEDS[running_tier]

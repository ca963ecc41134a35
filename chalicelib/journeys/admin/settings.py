"""The settings of machines, jobs and groups that an owner's command names: read, and checked one by one."""

from __future__ import annotations

import re
from typing import Any

from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.retention_policy import DEFAULT_RETENTION
from chalicelib.domain.fleet.following import FIELDS
from chalicelib.domain.fleet.group import MachineGroup
from chalicelib.domain.photos.family import Family
from chalicelib.domain.shown import shown
from chalicelib.journeys.admin.request import (
    MOST_KEPT,
    Arguments,
    bad_request,
    read_positive,
    read_retention,
    read_storage,
    read_usd,
)

MOST_ADDRESSES = 5
"""Of one machine or group: each gets every mail about it."""

LONGEST_ADDRESS = 254
"""RFC 5321's limit of a path, without its brackets."""

_TYPED = {
    "period": "--every ...",
    "grace": "--grace ...",
    "storage": "--storage ...",
    "retention": "--keep-...",
}
"""The option of each setting of a job."""

_MAIL_ADDRESS = re.compile(r"[^@\s,<>\"]+@[^@\s,<>\"]+\.[^@\s,<>\"]+")


def job_settings(request: Arguments, known: Job | Family | MachineGroup) -> dict[str, Any]:
    """By setting, what is named for jobs; of a retention policy that is ``known`` a part may be."""
    chosen: dict[str, Any] = {
        setting: read_positive(request, FIELDS[setting], 1)
        for setting in ("period", "grace")
        if request.get(FIELDS[setting]) is not None
    }
    storage = read_storage(request)
    if storage is not None:
        chosen["storage"] = storage
    if any(request.get(field) is not None for field in MOST_KEPT):
        chosen["retention"] = read_retention(request, known.retention or DEFAULT_RETENTION)
    return chosen


def first_job_settings(request: Arguments, known: Job | Family | MachineGroup) -> dict[str, Any]:
    """As ``job_settings`` of what is new: a period without a grace is the grace as well."""
    chosen = job_settings(request, known)
    return {"grace": chosen["period"], **chosen} if "period" in chosen else chosen


def check_no_other_settings(request: Arguments, known: Job | Family) -> None:
    """For what is there already and is added again, which changes nothing of it. Raises ``Refusal``."""
    chosen = job_settings(request, known)
    others = [
        _TYPED[setting] for setting, value in chosen.items() if getattr(known, FIELDS[setting]) != value
    ]
    if others:
        raise bad_request(
            f"{known.machine}/{known.name} is there already, with other settings: `python -m ops machine set"
            f" {known.machine} --job {known.name} {' '.join(others)}` changes them."
        )


def machine_settings(request: Arguments) -> dict[str, Any]:
    """By setting, what is named for a machine as a whole."""
    chosen: dict[str, Any] = {}
    if request.get("thaw_budget_usd") is not None:
        chosen["thaw_budget"] = read_usd(request, "thaw_budget_usd")
    if request.get("owner_mail") is not None:
        chosen["owner_mail"] = _owner_mail(request["owner_mail"])
    return chosen


def read_settings(request: Arguments, field: str) -> frozenset[str]:
    """Names of settings, of none where none is named."""
    names = request.get(field) or []
    if not isinstance(names, list) or not all(isinstance(name, str) and name in FIELDS for name in names):
        raise bad_request(f"{field} is a list of these: {', '.join(FIELDS)}.")
    return frozenset(names)


def _owner_mail(text: object) -> str | None:
    """The addresses, each once; ``None`` for nobody any longer, which is said by an empty text."""
    if not isinstance(text, str):
        raise bad_request("owner_mail is a text: addresses with commas between them.")
    addresses = list(dict.fromkeys(part.strip() for part in text.split(","))) if text else []
    for address in addresses:
        if (
            len(address) > LONGEST_ADDRESS
            or not _MAIL_ADDRESS.fullmatch(address)
            or not address.isprintable()
        ):
            raise bad_request(
                f"'{shown(address)}' is no mail address: write one such as anna@example.org, or several with commas"
                " between them."
            )
    if len(addresses) > MOST_ADDRESSES:
        raise bad_request(f"{len(addresses)} addresses are too many: name {MOST_ADDRESSES} at most.")
    return ", ".join(addresses) or None

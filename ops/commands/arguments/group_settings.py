"""The settings that a machine can take from its group: what is typed for each, and where a value comes from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from chalicelib.domain.shown import shown
from ops.commands.arguments.options import Read
from ops.errors import OpsError

SETTING_OF_WORD = {
    "every": "period",
    "grace": "grace",
    "storage": "storage",
    "keep": "retention",
    "thaw-budget": "thaw_budget",
    "owner-mail": "owner_mail",
}
"""The options, without their hyphens, and what the service calls them."""

_WORD_OF_SETTING = {setting: word for word, setting in SETTING_OF_WORD.items()}

ALL = "all"


def parse_settings(text: str) -> list[str]:
    """``every``, ``keep`` or ``all``, as the service calls them. Raises ``ValueError`` with what there is to choose."""
    if text == ALL:
        return list(SETTING_OF_WORD.values())
    if text not in SETTING_OF_WORD:
        raise ValueError(f"'{shown(text)}' is no setting: choose {', '.join(SETTING_OF_WORD)} or {ALL}.")
    return [SETTING_OF_WORD[text]]


SETTINGS = Read("setting", parse_settings)


def flat(settings: Sequence[Sequence[str]]) -> list[str] | None:
    """What was typed in several options, as one list for the service."""
    return sorted({one for some in settings for one in some}) or None


def sources_shown(sources: Mapping[str, str]) -> str:
    """``own: every; group web: storage, keep; default: grace``; a service of before there were groups says nothing."""
    words: dict[str, list[str]] = defaultdict(list)
    for setting, source in sources.items():
        words[source].append(_WORD_OF_SETTING.get(setting, setting))
    parts = [f"{source}: {', '.join(words[source])}" for source in sorted(words, key=_own_first)]
    return "; ".join(parts) or "where the settings come from is not known"


def own_shown(own: Sequence[str]) -> str:
    """``system: every, grace; owner-mail``, of the service's ``system: grace``, ``system: period``, ``owner_mail``."""
    words: dict[str, list[str]] = defaultdict(list)
    for one in own:
        job, _, setting = one.rpartition(": ")
        words[job].append(_WORD_OF_SETTING.get(setting, setting))
    return "; ".join(
        f"{job}: {', '.join(sorted(some))}" if job else ", ".join(some) for job, some in words.items()
    )


def _own_first(source: str) -> int:
    return {"own": 0, "default": 2}.get(source, 1)


def check_service_knows_groups(wanted: str | None, answered: str | None) -> None:
    """Raises ``OpsError`` where an older service has passed over the group."""
    if wanted is not None and answered != wanted:
        raise OpsError("The service is older than this clone and knows no groups yet: deploy it first.")

"""The prefix that a lifecycle rule was meant to have, and those to which its transitions can be limited."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Set

from chalicelib.domain.audit.lifecycle.coverage import NAMES_BEGIN, can_sink
from chalicelib.domain.audit.lifecycle.rewriting import readable
from chalicelib.domain.audit.lifecycle.rules import Rule, present_form
from chalicelib.domain.backups.names import METADATA_PREFIX, VOLUME_PREFIX, prefixes_overlap
from chalicelib.domain.backups.storage import GLACIER_INSTANT_RETRIEVAL

SIMILAR_ENOUGH = 0.6


def probable_prefix(rule: Rule, of_volumes: Set[str], of_metadata: Set[str]) -> str | None:
    """``_data`` is ``data_``, ``/laptop/data`` is ``laptop/data_``; None where no prefix in the bucket is near."""
    if not rule.prefix:
        return None
    moved_to = {one["StorageClass"] for one in readable(present_form(rule.document).get("Transitions", ()))}
    archives = any(can_sink(one) or one == GLACIER_INSTANT_RETRIEVAL for one in moved_to)
    # What archives once it is corrected is never advised to take the metadata.
    candidates = sorted((of_volumes - of_metadata if archives else of_volumes | of_metadata) - {""})
    asked = _letters(rule.prefix)
    for candidate in candidates:
        letters = _letters(candidate)
        if letters and (asked == letters or asked.endswith(letters)):
            return candidate
    last_parts = {_letters(one.rpartition("/")[2]): one for one in candidates}
    if asked in last_parts:
        return last_parts[asked]
    by_letters = {_letters(one): one for one in candidates}
    close = difflib.get_close_matches(asked, list(by_letters), 1, SIMILAR_ENOUGH)
    return by_letters[close[0]] if close else None


def volumes_alone(rule: Rule, of_volumes: Iterable[str], of_metadata: Iterable[str]) -> tuple[str, ...]:
    """The prefixes of volumes that the rule covers and no metadata shares; none where duplicity was given none."""
    volumes, metadata = (
        {one if one.endswith((VOLUME_PREFIX, METADATA_PREFIX)) else one + NAMES_BEGIN for one in prefixes}
        for prefixes in (of_volumes, of_metadata)
    )
    covered = {
        max(prefix, rule.prefix, key=len) for prefix in volumes if prefixes_overlap(prefix, rule.prefix)
    }
    return tuple(
        sorted(one for one in covered if not any(prefixes_overlap(one, other) for other in metadata))
    )


def _letters(prefix: str) -> str:
    return "".join(character for character in prefix.casefold() if character.isalnum())

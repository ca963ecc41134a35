"""The one word about a machine, or about all of them: it is well, somebody should look, or it is bad."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from enum import Enum

from chalicelib.domain.backups.freshness import State


class FleetVerdict(str, Enum):
    WELL = "well"
    LOOK = "look"
    BAD = "bad"


EXIT_CODES = {FleetVerdict.WELL: 0, FleetVerdict.LOOK: 1, FleetVerdict.BAD: 2}
"""How ``ops status`` ends; Nagios calls these OK, WARNING and CRITICAL."""

THAW_WAITING = "thaw_waiting"

_OF_STATES = {
    State.OVERDUE: FleetVerdict.BAD,
    State.FAILING: FleetVerdict.LOOK,
    State.NEVER: FleetVerdict.LOOK,
}


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why the verdict is not better: a sentence, and what to type, in that order; what begins with ``panicroom`` is
    typed on the machine.

    ``machine`` and ``job`` are empty where a whole bucket is meant, ``job`` where it is all of the machine's. ``code``
    is stable: a state, ``not_enrolled``, ``revoked``, ``dropping``, ``thaw_waiting``, or the code of a finding.
    """

    verdict: FleetVerdict
    machine: str
    job: str
    message: str
    commands: tuple[str, ...] = ()
    code: str = ""


def verdict_of_state(state: State) -> FleetVerdict:
    return _OF_STATES.get(state, FleetVerdict.WELL)


def worst_verdict(verdicts: Iterable[FleetVerdict]) -> FleetVerdict:
    return max(verdicts, key=EXIT_CODES.__getitem__, default=FleetVerdict.WELL)

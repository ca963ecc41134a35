"""Sets that do not count: those that the owner put into quarantine, and those of chains that were let go."""

from __future__ import annotations

import dataclasses

from chalicelib.domain.backups.names import SetId
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ErrorCode


@dataclasses.dataclass(frozen=True)
class HiddenSets:
    """The hidden sets of one job, each for its reason. They are not listed, take no files, and give none away."""

    quarantined: frozenset[SetId] = frozenset()
    let_go: frozenset[SetId] = frozenset()

    def __contains__(self, set_id: object) -> bool:
        return set_id in self.quarantined or set_id in self.let_go

    @property
    def every(self) -> frozenset[SetId]:
        return self.quarantined | self.let_go

    def why(self, set_id: SetId) -> str | None:
        """A sentence on what became of the set; ``None`` where it counts."""
        if set_id in self.let_go:
            return (
                "The owner's retention policy has let this backup go: it takes no files and gives none away. Until it "
                "is removed for good the owner can bring it back: python -m ops retention undo."
            )
        if set_id in self.quarantined:
            return "The owner has put this set into quarantine: it takes no files and gives none away."
        return None

    def check(self, set_id: SetId) -> None:
        """Raises ``Refusal`` where the set is hidden: nothing is stored in it, sealed or discarded."""
        why = self.why(set_id)
        if why is not None:
            raise Refusal(ErrorCode.SET_SEALED, f"{why} Start a new backup.")

"""What readers of a recovery code may have thawed without the owner, who may not be there: everything once, by Bulk."""

from __future__ import annotations

import dataclasses

from chalicelib.domain.recovery.recovery import Recovery
from chalicelib.domain.restore.plans import TierOffer
from chalicelib.domain.restore.volumes import VolumesFound, VolumeState
from chalicelib.wire import ThawTier

LEAST_BYTES = 2**20
"""What a volume counts at least: a request costs as much as ten megabytes, however small the volume is."""


@dataclasses.dataclass(frozen=True)
class ReaderAllowance:
    """The recovery code of a reader, and what all sets of the machine have stored, in how many volumes."""

    recovery: Recovery
    stored_bytes: int
    volumes: int

    def covers(self, offer: TierOffer, found: VolumesFound) -> bool:
        """Counted by bytes, so that it is there too where a price is not known."""
        everything = self.stored_bytes + LEAST_BYTES * self.volumes  # however small the volumes are
        left = everything - self.recovery.thawed_bytes
        return offer.tier is ThawTier.BULK and counted_bytes(found) <= left

    def after(self, found: VolumesFound) -> Recovery:
        """The code with one more thaw on it."""
        thawed_bytes = self.recovery.thawed_bytes + counted_bytes(found)
        return dataclasses.replace(self.recovery, thawed_bytes=thawed_bytes)


def counted_bytes(found: VolumesFound) -> int:
    volumes = (
        volume for numbers in found.listed[VolumeState.ARCHIVED].values() for volume in numbers.values()
    )
    return sum(max(LEAST_BYTES, volume.size_bytes) for volume in volumes)

"""What a reader of a recovery code may have thawed without the owner: everything once, however small its volumes."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import pytest

from chalicelib.domain.backups.names import SetId
from chalicelib.domain.recovery.recovery import new_recovery
from chalicelib.domain.restore.plans import TierOffer
from chalicelib.domain.restore.reader_allowance import ReaderAllowance
from chalicelib.domain.restore.volumes import ListedVolume, VolumesFound, VolumeState
from chalicelib.recovery_code import new_recovery_code
from chalicelib.wire import ThawTier

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)
MB = 2**20
BULK = TierOffer(ThawTier.BULK, Decimal(1), Decimal(0), 3, NOW, NOW, NOW)


def archived(*sizes: int) -> VolumesFound:
    listed = {number: ListedVolume(f"vol{number}", size, "DEEP_ARCHIVE") for number, size in enumerate(sizes)}
    return VolumesFound({VolumeState.ARCHIVED: {SetId(None, NOW): listed}}, {}, {})


@pytest.mark.parametrize(
    "sizes", [(300_000,) * 50, (25 * MB,) * 3, (25 * MB, 25 * MB, 1), (200 * MB, 130_000)]
)
def test_everything_is_covered_once_job_by_job_and_not_again_and_again(sizes: tuple[int, ...]) -> None:
    """As by a machine whose increments are small: what counts at least a megabyte has it to spend."""
    recovery = new_recovery("anna-laptop", new_recovery_code(), NOW)
    for size in sizes:
        allowance = ReaderAllowance(recovery, sum(sizes), len(sizes))
        assert allowance.covers(BULK, archived(size))
        recovery = allowance.after(archived(size))
    assert not ReaderAllowance(recovery, sum(sizes), len(sizes)).covers(BULK, archived(*sizes, 50 * MB))

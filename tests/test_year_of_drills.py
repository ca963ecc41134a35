"""A year of monthly drills in simulated time, with real duplicity and gpg: what they find, and what they cost.

The archive has several chains in Deep Archive; the service is the client's fake one, with a clock that is set forward.
Prices are the product's own. The client may not import them, so this stands here.
"""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from drill.scenes import freeze, make_chains, volumes
from laptop import PASSPHRASE, Laptop, laptop_in
from panicroom.drill.choice import MOST_FETCHED_BYTES, REQUEST_BYTES
from panicroom.drill.outcome import DrillResult
from panicroom.drill.run import SlowLine, drill
from panicroom.exit_codes import ExitCode
from panicroom.names import parse_name
from panicroom.settings import load_settings
from panicroom.terminal.plain_lines import PlainReporter
from panicroom.thaw.waiting import Clock
from panicroom.wire import DrillOutcome, ListedFile

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.machines import DEFAULT_DOWNLOAD_CAP_BYTES_A_DAY
from chalicelib.domain.backups.storage import DEEP_ARCHIVE
from chalicelib.domain.backups.tallies import Tallies, Tally
from chalicelib.domain.restore.plans import Terms, offer_of
from chalicelib.domain.restore.volumes import VolumesFound, VolumeState
from chalicelib.wire import ThawTier
from ops.demo.laptop import gpg_folder

DRILLS_USD_A_MONTH = Decimal("0.02")

MONTHS = 12
MONTH = timedelta(days=30)
_SIGNATURE_HEAD_BYTES = 12
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """Two chains: six volumes in four sets."""
    with gpg_folder(is_quick=True) as gnupg:
        (gnupg / "gpg.conf").write_text("s2k-count 65536\n")
        with laptop_in(tmp_path_factory.mktemp("laptop"), gnupg) as laptop:
            make_chains(laptop)
            yield laptop


@dataclass
class Year:
    """``asked``: the volumes that were thawed, a list a month."""

    laptop: Laptop
    chance: random.Random
    asked: list[list[str]] = field(default_factory=list)
    results: list[DrillResult] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return self.laptop.service.drills.now

    def month(self) -> DrillResult:
        """Two calls, as Deep Archive has it; at the end of the month the copies are gone."""
        drills, thaws = self.laptop.service.drills, self.laptop.service.thaws
        assert drills.due
        before = len(thaws.asked)
        result = self._call()
        if result.outcome is DrillOutcome.ASKED:
            assert result.problem is not None
            assert result.problem.exit_code == ExitCode.TRY_LATER
            thaws.finish()
            drills.now += 2 * DAY
            result = self._call()
        self.asked.append(thaws.asked[before:])
        self.results.append(result)
        thaws.lapse()
        for known in thaws.thaws.values():
            known["state"] = "lapsed"
        drills.now += MONTH if result.outcome is DrillOutcome.PASSED else DAY
        return result

    def until_failure(self) -> DrillResult:
        """Months of drills that pass, and the one that does not; a year at most."""
        for _month in range(MONTHS):
            if self.month().outcome is not DrillOutcome.PASSED:
                break
        return self.results[-1]

    def _call(self) -> DrillResult:
        settings = load_settings()
        reporter, clock = PlainReporter(io.StringIO()), Clock(now=lambda: self.now)
        return drill(settings, settings.jobs[0], reporter, clock, self.chance)


@pytest.fixture
def year(made_once: Laptop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Year]:
    with laptop_in(tmp_path, made_once.gnupg) as laptop:
        laptop.take_over(made_once)
        for name, value in laptop.environment().items():
            monkeypatch.setenv(name, value)
        freeze(laptop)
        laptop.service.drills.now = datetime(2027, 1, 1, tzinfo=timezone.utc)
        yield Year(laptop, random.Random(tmp_path.name))


def test_a_sound_archive_passes_twelve_of_twelve_and_every_volume_has_had_its_turn(year: Year) -> None:
    for _month in range(MONTHS):
        assert year.month().outcome is DrillOutcome.PASSED, year.results[-1].message
    assert year.laptop.service.drills.outcomes == ["asked", "passed"] * MONTHS
    read = {name for result in year.results for name in result.volumes}
    assert read == set(volumes(year.laptop))
    assert all(1 <= len(asked) <= 4 for asked in year.asked)
    for volume_bytes in (25 * 2**20, 200 * 2**20):
        costs = [Drilled(len(asked), volume_bytes).usd("eu-central-1") for asked in year.asked]
        assert max(costs) < Decimal("0.02")
        assert sum(costs) < Decimal("0.25")


def flip(laptop: Laptop, name: str, chance: random.Random) -> None:
    """One bit of the stored volume, anywhere."""
    stored = laptop.service.objects[f"system/{name}"]
    place = chance.randrange(len(stored.data))
    changed = bytearray(stored.data)
    changed[place] ^= 1 << chance.randrange(8)
    stored.data = bytes(changed)


@pytest.mark.parametrize("number", range(6))
def test_a_flipped_bit_in_any_volume_is_found(year: Year, number: int) -> None:
    name = volumes(year.laptop)[number]
    flip(year.laptop, name, year.chance)
    result = year.until_failure()
    assert result.outcome is DrillOutcome.FAILED
    assert name in result.message
    assert result.problem is not None
    assert result.problem.exit_code == ExitCode.RESTORE_INCOMPLETE


@pytest.mark.parametrize("number", range(6))
def test_a_lost_volume_is_found_by_the_next_drill_at_no_cost(year: Year, number: int) -> None:
    name = volumes(year.laptop)[number]
    del year.laptop.service.objects[f"system/{name}"]
    result = year.month()
    assert result.outcome is DrillOutcome.FAILED
    assert "is not stored" in result.message
    assert year.asked == [[]]


def test_a_changed_passphrase_is_found_by_the_next_drill_at_no_cost(
    year: Year, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSPHRASE", "another one")
    result = year.month()
    assert result.outcome is DrillOutcome.FAILED
    assert result.problem is not None
    assert result.problem.exit_code == ExitCode.PASSPHRASE
    assert year.asked == [[]]


def gpg(laptop: Laptop, data: bytes, *words: str) -> bytes:
    command = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", PASSPHRASE, *words]
    return subprocess.run(
        command, input=data, capture_output=True, check=True, env=laptop.environment()
    ).stdout


def change_signatures(laptop: Laptop, set_name: str) -> None:
    """The signatures of a set are those of other contents, and nobody's proof says so: as where plain duplicity went on
    with a set, which signs nothing."""
    service = laptop.service
    for stored in service.objects.values():
        stored.metadata.pop("proof", None)
    (laptop.home / "state" / "laptop" / "system" / "origins.json").unlink(missing_ok=True)
    (name,) = [
        name
        for name in service.names()
        if (parsed := parse_name(name)) and (parsed.set, parsed.kind) == (set_name, "signatures")
    ]
    packed = gpg(laptop, service.objects[f"system/{name}"].data, "--decrypt")
    plain = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
    changed = bytearray(plain)
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for item in tar:
            if item.name.startswith("signature/") and item.size > _SIGNATURE_HEAD_BYTES:
                changed[item.offset_data + item.size - 1] ^= 1
    service.store(name, gpg(laptop, bytes(changed), "--symmetric"))


@pytest.mark.parametrize("number", range(4))
def test_signatures_that_do_not_fit_the_volumes_are_found(year: Year, number: int) -> None:
    name = year.laptop.service.sealed()[number]
    change_signatures(year.laptop, name)
    result = year.until_failure()
    assert result.outcome is DrillOutcome.FAILED
    assert "signatures and volumes of the set" in result.message


@dataclass(frozen=True)
class Drilled:
    """Archived volumes of a drill, on a machine that backs up every ``period``."""

    volumes: int
    volume_bytes: int
    period: timedelta = DAY

    def usd(self, region: str) -> Decimal:
        """By the plan of the service, with the speed that the client says."""
        size_bytes = self.volumes * self.volume_bytes
        listed = ListedFile("a volume", size_bytes, "e", "2027-01-01T00:00:00Z", DEEP_ARCHIVE)
        tallies: dict[VolumeState, Tallies] = {state: {} for state in VolumeState}
        tallies[VolumeState.ARCHIVED] = {DEEP_ARCHIVE: Tally(self.volumes, size_bytes)}
        line = SlowLine([listed], int(self.period.total_seconds())).bytes_a_second
        now = datetime(2027, 1, 1, tzinfo=timezone.utc)
        terms = Terms(price_table(region), DEFAULT_DOWNLOAD_CAP_BYTES_A_DAY, 0, line, now)
        offer = offer_of(VolumesFound({}, tallies, {}), ThawTier.BULK, terms)
        assert offer is not None
        assert offer.usd is not None
        assert offer.readable_until is not None
        assert offer.readable_until - offer.ready_by >= self.period
        return offer.usd


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"])
@pytest.mark.parametrize("period", [DAY, 7 * DAY, 28 * DAY])
@pytest.mark.parametrize("volume_mb", [25, 200])
def test_a_year_of_drills_of_three_volumes_costs_less_than_a_quarter_of_a_dollar(
    region: str, period: timedelta, volume_mb: int
) -> None:
    a_month = Drilled(3, volume_mb * 2**20, period).usd(region)
    assert a_month <= DRILLS_USD_A_MONTH
    assert MONTHS * a_month < Decimal("0.25")


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"])
@pytest.mark.parametrize("period", [DAY, 7 * DAY])
def test_the_dearest_drills_stay_within_the_allowance(region: str, period: timedelta) -> None:
    """Three files, each of which takes all that a drill fetches for one."""
    count = 3 * MOST_FETCHED_BYTES // (25 * 2**20 + REQUEST_BYTES)
    few, many = Drilled(3, MOST_FETCHED_BYTES, period), Drilled(count, 25 * 2**20, period)
    assert max(few.usd(region), many.usd(region)) <= DRILLS_USD_A_MONTH

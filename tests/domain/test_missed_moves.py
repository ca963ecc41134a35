"""What a rule that never matched has cost so far, and what it would save."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.audit.bucket_audit import BucketAudit
from chalicelib.domain.audit.custody import WatchedJob
from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.audit.lifecycle.inventory import MissedMoves
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.missed_moves import missed_savings
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.mail.money_of_findings import with_missed_savings
from tests.domain.test_audit import NOW, PLAIN, TO_GLACIER, Bucket, files_of, rule, sets_of

FRANKFURT = price_table("eu-central-1")
assert FRANKFURT is not None
MB = 2**20
FULL = SetId(None, NOW - timedelta(days=400))
YEARS = st.dictionaries(
    st.integers(0, 4000), st.builds(Tally, st.integers(1, 50), st.integers(50 * MB, 100 * GB)), max_size=8
)


def missed(by_age: Mapping[int, Tally], after_days: int = 1) -> MissedMoves:
    return MissedMoves("GLACIER_IR", after_days, by_age)


def test_a_hundred_gigabytes_for_a_year_by_hand() -> None:
    """Frankfurt: $0.0245 a GB-month in Standard, $0.005 in Glacier Instant Retrieval, $0.02 for 1,000 moves."""
    assert FRANKFURT is not None
    savings = missed_savings(FRANKFURT, missed({361: Tally(4000, 100 * GB), 0: Tally(40, GB)}))
    assert savings.a_month == 100 * (Decimal("0.0245") - Decimal("0.005"))
    assert savings.so_far == 12 * savings.a_month - savings.moving
    assert savings.moving == Decimal("0.08")


@given(by_age=YEARS, after_days=st.integers(0, 400), more_days=st.integers(0, 400))
def test_it_is_never_below_zero_and_grows_with_time_and_with_what_is_stored(
    by_age: dict[int, Tally], after_days: int, more_days: int
) -> None:
    assert FRANKFURT is not None
    savings = missed_savings(FRANKFURT, missed(by_age, after_days))
    assert min(savings.so_far, savings.a_month, savings.moving) >= 0
    later = missed_savings(
        FRANKFURT, missed({age + more_days: tally for age, tally in by_age.items()}, after_days)
    )
    assert later.a_month >= savings.a_month
    if all(age >= after_days for age in by_age):
        assert later.so_far >= savings.so_far
    if all(age < after_days for age in by_age):
        assert (savings.so_far, savings.a_month, savings.moving) == (0, 0, 0)


@given(by_age=YEARS)
def test_the_whole_is_the_sum_of_its_days(by_age: dict[int, Tally]) -> None:
    assert FRANKFURT is not None
    whole = missed_savings(FRANKFURT, missed(by_age))
    parts = [missed_savings(FRANKFURT, missed({age: tally})) for age, tally in by_age.items()]
    assert whole.a_month == sum(part.a_month for part in parts)
    assert whole.moving == sum(part.moving for part in parts)


def said_of(bucket: Bucket, prices: PriceTable | None = FRANKFURT) -> str:
    watched = WatchedJob(bucket.job, bucket.custody)
    sets = sets_of(bucket.rows.values())
    audit = BucketAudit(bucket.settings, {watched: sets}, None, NOW, is_own_bucket=False)
    for row in bucket.rows.values():
        audit.add(watched, row)
    found: list[Finding] = with_missed_savings(audit.findings(), audit.missed, prices)
    [nothing] = [one for one in found if one.code == "rule_matches_nothing"]
    return nothing.message


def test_the_finding_about_a_rule_that_never_matched_says_what_that_has_cost() -> None:
    rows = files_of(FULL, 400, volumes=40, storage_class="STANDARD", storage_tag="", size=1024 * MB)
    bucket = Bucket(PLAIN.settings, rows, PLAIN.job, PLAIN.custody)
    by_post = bucket.with_rules(rule("_data", **TO_GLACIER))
    assert said_of(by_post).endswith(
        "It probably means the prefix data_. That has cost $10.37 so far."
        " In GLACIER_IR the same volumes are $0.78 a month cheaper, for under $0.01 once to move them."
    )
    assert "cost" not in said_of(by_post, None)
    assert "cost" not in said_of(bucket.with_rules(rule("elsewhere/", **TO_GLACIER)))

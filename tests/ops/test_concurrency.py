"""How much of the account's concurrency the API may use, by what the account has."""

from __future__ import annotations

import pytest

from ops.functions.concurrency import UNRESERVED, WANTED, concurrency_complaints, concurrency_limits


@pytest.mark.parametrize("account_limit", [*range(0, 400, 7), 1000, 3000])
def test_what_is_reserved_leaves_what_aws_asks_for(account_limit: int) -> None:
    limits = concurrency_limits(account_limit)
    assert sum(limits.values()) <= max(0, account_limit - UNRESERVED)
    assert all(0 < limit <= WANTED[short_name] for short_name, limit in limits.items())


def test_an_account_of_the_usual_size_has_both_limits_in_full() -> None:
    assert concurrency_limits(1000) == {"api_handler": 100, "authorizer": 50}
    assert concurrency_complaints(1000) == []


@pytest.mark.parametrize("account_limit", [10, 50, 100, 110])
def test_a_new_account_reserves_nothing_and_is_told_what_to_ask_for(account_limit: int) -> None:
    assert concurrency_limits(account_limit) == {}
    [complaint] = concurrency_complaints(account_limit)
    assert f"may run {account_limit} functions at once" in complaint
    assert "Service Quotas" in complaint

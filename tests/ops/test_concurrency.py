"""How much of the account's concurrency the API may use, by what the account has."""

from __future__ import annotations

from typing import Any

import pytest

from ops.aws import Aws
from ops.functions.concurrency import (
    UNRESERVED,
    WANTED,
    concurrency_complaints,
    concurrency_differences,
    concurrency_limits,
    limit_concurrency,
    limit_for_stage,
)
from ops.stages import LOCAL


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


class Functions:
    """Lambda, which refuses to reserve what would leave less than ``UNRESERVED``: ``reserved`` by name."""

    def __init__(self, account_limit: int, reserved: dict[str, int]) -> None:
        self._account_limit = account_limit
        self.reserved = reserved

    def get_account_settings(self) -> Any:
        unreserved = self._account_limit - sum(self.reserved.values())
        limits = {
            "ConcurrentExecutions": self._account_limit,
            "UnreservedConcurrentExecutions": unreserved,
        }
        return {"AccountLimit": limits}

    def get_function(self, FunctionName: str) -> Any:  # noqa: N803 - as boto3 names it
        limit = self.reserved.get(FunctionName)
        return {} if limit is None else {"Concurrency": {"ReservedConcurrentExecutions": limit}}

    def put_function_concurrency(self, FunctionName: str, ReservedConcurrentExecutions: int) -> None:  # noqa: N803
        others = sum(limit for name, limit in self.reserved.items() if name != FunctionName)
        assert self._account_limit - others - ReservedConcurrentExecutions >= UNRESERVED, "refused"
        self.reserved[FunctionName] = ReservedConcurrentExecutions

    def delete_function_concurrency(self, FunctionName: str) -> None:  # noqa: N803
        del self.reserved[FunctionName]


API, AUTHORIZER = LOCAL.function("api_handler"), LOCAL.function("authorizer")


@pytest.mark.parametrize(
    ("account_limit", "before", "after"),
    [
        pytest.param(250, {}, {API: 100, AUTHORIZER: 50}, id="alone"),
        pytest.param(1000, {"shop": 820}, {API: 53, AUTHORIZER: 26}, id="beside another function"),
        pytest.param(250, {"other-stage": 100, "its-authorizer": 50}, {}, id="beside another stage"),
        pytest.param(250, {API: 10, AUTHORIZER: 140}, {API: 100, AUTHORIZER: 50}, id="changed by hand"),
        pytest.param(230, {"shop": 120, API: 5, AUTHORIZER: 5}, {}, id="others have reserved since"),
    ],
)
def test_what_others_have_reserved_is_not_reserved_again(
    monkeypatch: pytest.MonkeyPatch, account_limit: int, before: dict[str, int], after: dict[str, int]
) -> None:
    functions = Functions(account_limit, dict(before))
    monkeypatch.setattr(Aws, "client", lambda _aws, _service: functions)
    others = {name: limit for name, limit in before.items() if name not in (API, AUTHORIZER)}
    limit_concurrency(Aws(), LOCAL)
    assert functions.reserved == {**others, **after}
    assert concurrency_differences(Aws(), LOCAL) == [], "so that the next deploy changes nothing"
    assert bool(concurrency_complaints(limit_for_stage(Aws(), LOCAL))) == (after == {})

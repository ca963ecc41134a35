"""What a machine may spend on thaws without its owner's approval."""

from __future__ import annotations

import pytest

from tests.service.conftest import Service


def test_a_machine_may_spend_a_dollar_a_month_until_the_owner_says_otherwise(service: Service) -> None:
    service.admin("machine_add", name="anna-laptop")
    shown = service.admin("machine_show", name="anna-laptop")
    assert (shown["thaw_budget_usd"], shown["thaw_reserved_usd"]) == (1.0, 0.0)
    assert service.admin("machine_set", name="anna-laptop", thaw_budget_usd="2.50")["thaw_budget_usd"] == 2.5


def test_with_a_budget_of_nothing_each_thaw_needs_approval(service: Service) -> None:
    service.admin("machine_add", name="anna-laptop", thaw_budget_usd="0")
    assert service.admin("machine_show", name="anna-laptop")["thaw_budget_usd"] == 0.0


def test_a_new_code_for_a_machine_leaves_its_budget(service: Service) -> None:
    service.admin("machine_add", name="anna-laptop", thaw_budget_usd="7")
    service.admin("machine_rotate", name="anna-laptop")
    service.admin("machine_add", name="anna-laptop")
    service.admin("machine_set", name="anna-laptop", download_cap_bytes=10)
    assert service.admin("machine_show", name="anna-laptop")["thaw_budget_usd"] == 7.0


@pytest.mark.parametrize("usd", ["-1", "much", "NaN", "Infinity", "0.001", "10001", "1e99", True, [], ""])
def test_what_is_no_sum_of_money_is_refused_and_changes_nothing(service: Service, usd: object) -> None:
    service.admin("machine_add", name="anna-laptop")
    for command in ("machine_set", "machine_add"):
        refused = service.admin(command, name="anna-laptop", thaw_budget_usd=usd)
        assert refused["error"] == "bad_request"
        assert "USD from 0 to 10000" in refused["message"]
    assert service.admin("machine_show", name="anna-laptop")["thaw_budget_usd"] == 1.0
    assert service.admin("machine_add", name="ben", thaw_budget_usd=usd)["error"] == "bad_request"
    assert service.admin("machine_show", name="ben")["error"] == "not_found"

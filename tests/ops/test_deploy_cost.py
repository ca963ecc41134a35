"""What the deploy says that the service costs, before it is asked to go on."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.costs.price_table import PriceTable
from ops.commands.stage import deploy
from ops.deploy.cost_preview import JOB_METRIC_USD
from ops.stages import Stage

HOME = Stage(name="home", account="123456789012", region="us-west-2", sender="", recipients=())


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"])
def test_a_region_with_prices_has_a_sum(region: str) -> None:
    assert "costs about $0.4" in deploy._cost(dataclasses.replace(HOME, region=region))


def test_a_region_without_prices_has_none() -> None:
    assert "for other regions than eu-north-1" in deploy._cost(dataclasses.replace(HOME, region="eu-north-1"))


def test_a_price_that_is_missing_is_named_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        deploy, "price_table", lambda region: PriceTable(region, date(2026, 1, 1), "test", {})
    )
    assert "is not known: us-west-2 has no price of lambda/request here." in deploy._cost(HOME)


def test_a_metric_costs_what_the_deploy_says_in_every_region_with_prices() -> None:
    for region in ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1"):
        table = price_table(region)
        assert table is not None
        assert table.first("cloudwatch/metric") == JOB_METRIC_USD


def test_metrics_of_jobs_are_said_by_their_number_and_nothing_is_said_of_none() -> None:
    assert deploy._metrics_cost(0) == ""
    assert deploy._metrics_cost(1).startswith(" The metrics of 1 job cost $0.30 a month on top")

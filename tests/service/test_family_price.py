"""What pictures cost that would be stored twice: the computer says it before it uploads a renamed folder again."""

from __future__ import annotations

import pytest

from chalicelib import wiring
from tests.service.conftest import Service


@pytest.mark.parametrize(("storage", "usd"), [({}, 0.01188), ({"storage": "instant"}, 0.048)])
def test_a_computer_learns_what_a_gigabyte_of_pictures_costs_a_year(
    service: Service, storage: dict[str, str], usd: float
) -> None:
    token = service.enrolled(photos=True, **storage)
    [family] = service.call("GET", "/machine", token=token).body["families"]
    assert family["usd_a_gb_year"] == pytest.approx(usd)


def test_where_prices_are_not_known_it_learns_none(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "prices", lambda: None)
    token = service.enrolled(photos=True)
    [family] = service.call("GET", "/machine", token=token).body["families"]
    assert "usd_a_gb_year" not in family

"""The owner's commands about recovery codes, typed against a running service."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import httpx
import pytest

from chalicelib.recovery_code import read_recovery_code
from tests.ops.conftest import Owner

SECRET = "8" * 64


@pytest.fixture(scope="module")
def use_code(owner: Owner) -> Callable[[str, str], int]:
    """Types a recovery code elsewhere; the HTTP status."""
    api_url = owner.asks("machine", "add", "address")["api_url"]

    def use(machine: str, code: str) -> int:
        body = {
            "machine": machine,
            "code": code,
            "secret_sha256": hashlib.sha256(SECRET.encode()).hexdigest(),
        }
        return httpx.post(f"{api_url}/recoveries", json=body, timeout=30).status_code

    return use


def code_in(text: str) -> str:
    """The one line of the output that is a recovery code."""
    [line] = [line.strip() for line in text.splitlines() if line.count("-") == 5]
    return read_recovery_code(line)


def test_add_prints_a_recovery_code_with_the_first_code_and_then_no_more(
    owner: Owner, use_code: Callable[[str, str], int]
) -> None:
    code = code_in(owner.types("machine", "add", "attic-pc").stdout)
    again = owner.types("machine", "add", "attic-pc").stdout
    assert code not in again
    assert f"ends in {code[-5:]}" in " ".join(again.split())
    assert use_code("attic-pc", code) == 201


def test_add_has_it_in_json(owner: Owner) -> None:
    added = owner.asks("machine", "add", "den-pc")
    assert read_recovery_code(added["recovery_code"]) == added["recovery_code"]
    assert owner.asks("machine", "rotate", "den-pc")["recovery_code"] is None


def test_recovery_replaces_the_code_and_ends_its_readers(
    owner: Owner, use_code: Callable[[str, str], int]
) -> None:
    old = owner.asks("machine", "add", "hall-pc")["recovery_code"]
    assert use_code("hall-pc", old) == 201
    said = owner.types("machine", "recovery", "hall-pc").stdout
    new = code_in(said)
    assert f"ended in {old[-5:]}" in " ".join(said.split())
    assert owner.asks("machine", "show", "hall-pc")["recovery"]["readers"] == []
    assert (use_code("hall-pc", old), use_code("hall-pc", new)) == (403, 201)
    assert owner.asks("machine", "recovery", "hall-pc")["replaced"] == new[-5:]


def test_show_names_the_code_by_its_last_group_and_who_reads_by_it(
    owner: Owner, use_code: Callable[[str, str], int]
) -> None:
    code = owner.asks("machine", "add", "loft-pc")["recovery_code"]
    use_code("loft-pc", code)
    said = owner.types("machine", "show", "loft-pc").stdout
    assert code not in said
    assert f"recovery code: ends in {code[-5:]}" in said
    assert "used once" in said
    assert "reads until" in said
    [reader] = owner.asks("machine", "show", "loft-pc")["recovery"]["readers"]
    assert set(reader) == {"made_at", "until", "address"}


def test_a_stolen_laptop_and_a_lost_sheet_are_two_commands(
    owner: Owner, use_code: Callable[[str, str], int]
) -> None:
    code = owner.asks("machine", "add", "porch-pc")["recovery_code"]
    owner.types("machine", "revoke", "porch-pc")
    assert use_code("porch-pc", code) == 201
    said = owner.types("machine", "revoke", "porch-pc", "--recovery").stdout
    assert f"ends in {code[-5:]}" in said
    assert "machine recovery porch-pc" in " ".join(said.split())
    assert use_code("porch-pc", code) == 403
    assert "recovery code: none" in owner.types("machine", "show", "porch-pc").stdout
    assert "has no recovery code" in owner.types("machine", "revoke", "porch-pc", "--recovery").stdout
    added = owner.asks("machine", "add", "porch-pc")
    assert use_code("porch-pc", added["recovery_code"]) == 201

"""Recovery codes as rules: what counts, who reads by them and for how long, and how often they may be tried."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest

from chalicelib.domain.backups.machines import CODE_BYTES, Machine, format_code, sha256_hex
from chalicelib.domain.recovery.recovery import (
    MAX_READERS,
    READER_LIFE,
    Recovery,
    code_matches,
    new_recovery,
    reader_with,
    use,
)
from chalicelib.domain.recovery.sealed_code import seal, unseal
from chalicelib.domain.recovery.tries import hour_of, network_of, seconds_left
from chalicelib.recovery_code import new_recovery_code

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)
ANNA = Machine("anna-laptop", NOW)
SECRETS = [f"{number:064x}" for number in range(MAX_READERS + 1)]


def made() -> tuple[str, Recovery]:
    code = new_recovery_code()
    return code, new_recovery("anna-laptop", code, NOW)


def test_a_code_counts_for_its_machine_and_for_no_other() -> None:
    code, recovery = made()
    assert code_matches(code, recovery, ANNA)
    assert not code_matches(new_recovery_code(), recovery, ANNA)
    assert not code_matches(code, None, ANNA)
    assert not code_matches(code, recovery, None)
    assert not code_matches(code, recovery, dataclasses.replace(ANNA, name="ben-laptop"))


def test_a_code_is_worthless_for_a_later_machine_of_the_same_name() -> None:
    code, recovery = made()
    recovery, _ = use(recovery, sha256_hex(SECRETS[0]), "", NOW)
    later = dataclasses.replace(ANNA, created_at=NOW + timedelta(microseconds=1))
    assert not code_matches(code, recovery, later)
    assert reader_with(recovery, ANNA, SECRETS[0], NOW) is not None
    assert reader_with(recovery, later, SECRETS[0], NOW) is None


def test_a_reader_lives_for_thirty_days_and_not_a_moment_longer() -> None:
    _, recovery = made()
    recovery, reader = use(recovery, sha256_hex(SECRETS[0]), "192.0.2.1", NOW)
    assert reader.until == NOW + timedelta(days=30)
    assert reader_with(recovery, ANNA, SECRETS[0], reader.until - timedelta(microseconds=1)) == reader
    assert reader_with(recovery, ANNA, SECRETS[0], reader.until) is None
    assert reader_with(recovery, ANNA, SECRETS[1], NOW) is None


def test_the_same_secret_again_is_the_same_reader_and_no_use() -> None:
    _, recovery = made()
    once, reader = use(recovery, sha256_hex(SECRETS[0]), "192.0.2.1", NOW)
    again = use(once, sha256_hex(SECRETS[0]), "198.51.100.7", NOW + timedelta(hours=1))
    assert again == (once, reader)
    assert once.uses == 1


def test_a_sixth_reader_replaces_the_oldest() -> None:
    _, recovery = made()
    for number, secret in enumerate(SECRETS):
        recovery, _ = use(recovery, sha256_hex(secret), "", NOW + timedelta(minutes=number))
    live = [reader_with(recovery, ANNA, secret, NOW + timedelta(hours=1)) is not None for secret in SECRETS]
    assert live == [False, *[True] * MAX_READERS]
    assert recovery.uses == MAX_READERS + 1


def test_readers_that_are_over_replace_nobody_and_are_forgotten() -> None:
    _, recovery = made()
    recovery, _ = use(recovery, sha256_hex(SECRETS[0]), "", NOW)
    recovery, _ = use(recovery, sha256_hex(SECRETS[1]), "", NOW + READER_LIFE)
    assert [reader.secret_sha256 for reader in recovery.readers] == [sha256_hex(SECRETS[1])]


def test_only_the_enrolment_code_that_it_was_made_with_unseals_a_recovery_code() -> None:
    code = new_recovery_code()
    mine, other = format_code(bytes(CODE_BYTES)), format_code(b"\1" * CODE_BYTES)
    sealed = seal(code, mine)
    assert unseal(sealed, mine) == code
    assert unseal(sealed, other) is None
    assert code.replace("-", "").encode() not in bytes.fromhex(sealed)


def test_what_is_sealed_differs_in_every_letter_from_one_enrolment_code_to_another() -> None:
    code = new_recovery_code()
    sealed = {seal(code, format_code(bytes([number]) * CODE_BYTES)) for number in range(50)}
    assert len(sealed) == 50


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.2", "192.0.2.2"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0db8:0001:0002::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "unknown"),
        ("fe80::1%eth0", "fe80::/64"),
        ("x" * 5000, "unknown"),
    ],
)
def test_tries_are_counted_for_an_address_or_a_whole_site_of_ipv6(address: str, network: str) -> None:
    assert network_of(address) == network


def test_an_hour_is_an_hour_of_the_clock() -> None:
    assert hour_of(NOW) == "2026-11-22T20"
    assert seconds_left(NOW) == 3600
    assert seconds_left(NOW + timedelta(minutes=59, seconds=59, milliseconds=1)) == 1

"""Proof of origin, the pure part: what a proof covers, and what follows from it."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panicroom.origin import (
    Origin,
    SetEvidence,
    canonical_text,
    digest_of_parts,
    is_proof_valid,
    key_check,
    key_from_passphrase,
    origin_of,
    proof_of,
)

KEY = bytes(range(32))
SET = SetEvidence("full.20261122T195500Z", 3, "a" * 64, ("b" * 64,))


def test_a_proof_is_the_hmac_of_a_text_that_anybody_can_write_down() -> None:
    text = "\n".join(["panicroom proof v1", "anna", "system", SET.set, "a" * 64, "1", "b" * 64, "3", ""])
    assert canonical_text("anna", "system", SET) == text
    assert proof_of(KEY, "anna", "system", SET) == hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def test_the_key_is_scrypt_of_the_passphrase_under_the_jobs_own_salt() -> None:
    expected = hashlib.scrypt(
        b"correct horse",
        salt=b"panicroom proof v1/anna/system",
        n=32768,
        r=8,
        p=1,
        maxmem=2**27,
        dklen=32,
    )
    assert key_from_passphrase("correct horse", "anna", "system") == expected
    others = {
        key_from_passphrase("correct horse", "anna", "photos"),
        key_from_passphrase("x", "anna", "system"),
    }
    assert len({expected, *others}) == 3


def test_a_passphrase_that_is_no_text_has_a_key_too() -> None:
    assert len(key_from_passphrase("\udcff", "anna", "system")) == 32


@pytest.mark.parametrize(
    ("machine", "job", "changes"),
    [
        ("ben", "system", {}),
        ("anna", "photos", {}),
        ("anna", "system", {"set": "full.20261122T195501Z"}),
        ("anna", "system", {"volumes": 2}),
        ("anna", "system", {"manifest_sha256": "c" * 64}),
        ("anna", "system", {"signatures_sha256": ("c" * 64,)}),
        ("anna", "system", {"signatures_sha256": ()}),
        ("anna", "system", {"signatures_sha256": ("b" * 64, "b" * 64)}),
    ],
)
def test_a_proof_holds_for_nothing_else(machine: str, job: str, changes: dict[str, object]) -> None:
    proof = proof_of(KEY, "anna", "system", SET)
    assert is_proof_valid(KEY, "anna", "system", SET, proof)
    other = dataclasses.replace(SET, **changes)  # type: ignore[arg-type]
    assert not is_proof_valid(KEY, machine, job, other, proof)


@given(st.text(max_size=80))
def test_no_text_but_the_proof_itself_is_taken(text: str) -> None:
    proof = proof_of(KEY, "anna", "system", SET)
    assert is_proof_valid(KEY, "anna", "system", SET, text) == (text == proof)


def test_a_set_is_proven_unproven_or_false() -> None:
    proof = proof_of(KEY, "anna", "system", SET)
    assert origin_of(KEY, "anna", "system", SET, proof) is Origin.PROVEN
    assert origin_of(KEY, "anna", "system", SET, None) is Origin.UNPROVEN
    assert origin_of(KEY, "anna", "system", None, None) is Origin.UNPROVEN
    assert origin_of(bytes(32), "anna", "system", SET, proof) is Origin.FALSE
    assert origin_of(KEY, "anna", "system", None, proof) is Origin.FALSE


def test_the_check_of_a_key_is_no_proof_and_tells_keys_apart() -> None:
    assert key_check(KEY) != key_check(bytes(32))
    assert key_check(KEY) != proof_of(KEY, "anna", "system", SET)


def test_the_digest_of_a_file_in_parts_is_that_of_s3() -> None:
    parts = [hashlib.sha256(part).hexdigest() for part in (b"one", b"two")]
    whole = hashlib.sha256(b"".join(bytes.fromhex(part) for part in parts)).hexdigest()
    assert digest_of_parts(parts) == f"{whole}-2"

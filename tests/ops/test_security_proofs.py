"""Every claim of docs/security.md names its proof, and every proof that is named exists."""

from __future__ import annotations

import re

import pytest

from ops.functions.package import PROJECT

LINES = (PROJECT / "docs" / "security.md").read_text(encoding="utf-8").splitlines()
CLAIMS = [line for line in LINES if line.startswith("| ") and not line.startswith(("| Claim", "| ---"))]
TESTS = [*(PROJECT / "tests").rglob("test_*.py"), *(PROJECT / "client" / "tests").rglob("test_*.py")]


def proofs(claim: str) -> list[str]:
    return re.findall(r"`([^`]+)`", claim.rstrip(" |").rpartition(" | ")[2])


def exists(proof: str) -> bool:
    """A file of tests, a test or class in it (``file::Class::test``), or a test or class by its name alone."""
    first, *names = proof.split("::")
    if "/" in first:
        path = PROJECT / first
        texts = [path.read_text(encoding="utf-8")] if path.is_file() else []
    else:
        names = [first, *names]
        texts = [path.read_text(encoding="utf-8") for path in TESTS]
    return any(
        all(re.search(rf"^ *(?:def|class) {name}\b", text, re.MULTILINE) for name in names) for text in texts
    )


def test_there_are_claims() -> None:
    assert len(CLAIMS) > 25


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.split("|")[1].strip()[:50])
def test_each_claim_names_proofs_that_exist(claim: str) -> None:
    named = proofs(claim)
    assert named or "decisions/" in claim, "no proof"
    assert [proof for proof in named if not exists(proof)] == []

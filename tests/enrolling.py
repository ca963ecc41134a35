"""Machines of tests that speak to the API without a client."""

from __future__ import annotations

import hashlib

import httpx


def enrolled(api_url: str, machine: str, code: str) -> str:
    """The machine's token, got for its one-time code; the same for each test, as its secret is made from its name."""
    secret = hashlib.sha256(machine.encode()).hexdigest()
    body = {"code": code, "secret_sha256": hashlib.sha256(secret.encode()).hexdigest()}
    answer = httpx.post(f"{api_url}/enrolments", json=body, timeout=60, trust_env=False)
    assert answer.status_code == 201, answer.text
    return f"{machine}.{secret}"

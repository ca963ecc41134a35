"""The linter that `make check` runs over every IAM policy, and what it would catch."""

from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of parliament's own imports
    from tools import policies


def test_nothing_is_wrong_but_what_has_its_reason() -> None:
    assert policies.complaints() == []


@pytest.mark.parametrize(
    ("statement", "issue"),
    [
        ({"Action": "s3:GetObjects", "Resource": "*"}, "UNKNOWN_ACTION"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket"}, "RESOURCE_MISMATCH"),
        ({"Action": "dynamodb:GetItem", "Resource": "*"}, "RESOURCE_STAR"),
        (
            {
                "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::bucket/*",
                "Condition": {"StringEquals": {"s3:if-not-match": "true"}},
            },
            "UNKNOWN_CONDITION_FOR_ACTION",
        ),
    ],
)
def test_a_slip_is_found(statement: dict[str, object], issue: str) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Sid": "Slip", "Effect": "Allow", **statement}]}
    assert issue in {problem.issue for problem in policies.problems("slip", document)}


def test_an_exception_that_nothing_needs_is_wrong_too(monkeypatch: pytest.MonkeyPatch) -> None:
    needless = ("admin", "RESOURCE_STAR", "s3:GetObject")
    monkeypatch.setattr(policies, "EXCEPTIONS", {**policies.EXCEPTIONS, needless: "none"})
    assert policies.complaints() == [f"nothing needs the exception {needless} any more"]

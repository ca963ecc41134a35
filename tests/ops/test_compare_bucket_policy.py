"""What somebody took out of the bucket's policy is named and put back, against moto's S3."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops.resources.compare_bucket_policy import bucket_policy, missing_statements, put_missing_statements
from ops.resources.template import bucket_statements
from ops.stages import LOCAL, Stage

HOME = Stage(
    name="home",
    account="123456789012",
    region="us-east-1",
    sender="ada@example.org",
    recipients=("ada@example.org",),
)
STATEMENTS = bucket_statements(HOME)
OWNERS = {
    "Sid": "Mine",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:DeleteBucket",
    "Resource": f"arn:aws:s3:::{HOME.bucket}",
}


@pytest.fixture
def s3(s3: Any) -> Any:
    s3.create_bucket(Bucket=HOME.bucket)
    return s3


def put(s3: Any, *statements: Any) -> None:
    policy = {"Version": "2012-10-17", "Statement": statements}
    s3.put_bucket_policy(Bucket=HOME.bucket, Policy=json.dumps(policy))


def test_a_policy_that_is_gone_is_put_back_whole(s3: Any) -> None:
    assert missing_statements(s3, HOME) == [denial["Sid"] for denial in STATEMENTS]
    put_missing_statements(s3, HOME)
    assert bucket_policy(s3, HOME.bucket)["Statement"] == STATEMENTS


def test_what_is_missing_is_put_beside_what_the_owner_has_in_it(s3: Any) -> None:
    put(s3, OWNERS, *STATEMENTS[:-1])
    assert missing_statements(s3, HOME) == ["NoWebsiteRedirects"]
    put_missing_statements(s3, HOME)
    assert bucket_policy(s3, HOME.bucket)["Statement"] == [OWNERS, *STATEMENTS]
    assert missing_statements(s3, HOME) == []


def test_the_stand_in_has_none_and_misses_none(s3: Any) -> None:
    assert missing_statements(s3, LOCAL) == []

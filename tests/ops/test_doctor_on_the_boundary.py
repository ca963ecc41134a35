"""The doctor compares the roles and their boundary with the repository, as a deploy does."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ops.aws import Aws
from ops.doctor.checks import CHECKS
from ops.doctor.patient import Patient
from ops.functions.boundary import make_roles
from tests.ops.conftest import HOME


@pytest.fixture
def patient(moto_account: None) -> Patient:
    aws = Aws(HOME.region)
    make_roles(aws, HOME)
    return Patient(aws, HOME, Path(), datetime(2026, 11, 30, tzinfo=timezone.utc))


def test_roles_that_a_deploy_made_are_well(patient: Patient) -> None:
    assert CHECKS["Roles"](patient) == []


def test_a_boundary_that_was_widened_by_hand_is_named(patient: Patient) -> None:
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    patient.aws.client("iam").create_policy_version(
        PolicyArn=HOME.boundary_arn,
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
        SetAsDefault=True,
    )
    [said] = CHECKS["Roles"](patient)
    assert said == (
        "put back the policy panicroom-home-boundary, which allows other things:"
        " `python -m ops deploy --stage home` does it"
    )

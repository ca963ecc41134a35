"""What the doctor says of addresses that mail does not reach."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from typing import Any

import boto3
from botocore.stub import Stubber

from chalicelib.owner_wire import ReportStatus
from ops.doctor.mail_refusals import refusals, suppressed_addresses
from ops.stages import Stage

HOME = Stage(
    name="home",
    account="123456789012",
    region="eu-central-1",
    sender="backup@example.org",
    recipients=("ada@example.org", "grace@example.net"),
)


NOBODY_REFUSED = ReportStatus(refused={})


def suppression_list(**reasons: str | None) -> tuple[Any, Stubber]:
    """An SES whose list has these addresses; ``None`` for one that is not on it."""
    ses = boto3.client(
        "sesv2", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    stub = Stubber(ses)
    now = datetime(2026, 11, 23, tzinfo=timezone.utc)
    for address, reason in reasons.items():
        if reason is None:
            stub.add_client_error("get_suppressed_destination", "NotFoundException", http_status_code=404)
        else:
            entry = {"EmailAddress": address, "Reason": reason, "LastUpdateTime": now}
            stub.add_response("get_suppressed_destination", {"SuppressedDestination": entry})
    stub.activate()
    return ses, stub


def test_who_is_on_the_suppression_list_is_reported_with_the_way_off_it() -> None:
    ses, stub = suppression_list(**{"ada@example.org": None, "grace@example.net": "BOUNCE"})
    [told] = refusals(ses, NOBODY_REFUSED, HOME)
    assert "SES drops mail to grace@example.net because of an earlier bounce" in told
    assert "delete-suppressed-destination --email-address grace@example.net" in told
    stub.assert_no_pending_responses()


def test_who_was_refused_is_reported_with_the_reason() -> None:
    ses, _ = suppression_list(**{"ada@example.org": None, "grace@example.net": None})
    status = ReportStatus(refused={"grace@example.net": "Email address is not verified."})
    [told] = refusals(ses, status, HOME)
    assert told.startswith(
        "SES refused the weekly mail to grace@example.net: Email address is not verified. Confirm"
    )


def test_the_stand_in_is_not_asked_for_a_list_that_it_lacks() -> None:
    ses, _ = suppression_list()
    assert refusals(ses, NOBODY_REFUSED, dataclasses.replace(HOME, on_local_stack=True)) == []


def test_an_address_is_asked_about_once() -> None:
    ses, stub = suppression_list(**{"ada@example.org": "COMPLAINT"})
    assert suppressed_addresses(ses, ["ada@example.org"] * 2) == {"ada@example.org": "COMPLAINT"}
    stub.assert_no_pending_responses()

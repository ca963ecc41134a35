"""The schedule itself sends the weekly mail: the rule that the template makes, not a call of the function."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ops.local.received_mail import ReceivedMail, received_mails
from tests.ops.conftest import Owner

FIRINGS = 5
ENOUGH_SECONDS = 90
LONG_AGO = "2026-01-01T00:00:00.000000Z"


def wait(look: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    give_up_at = time.monotonic() + ENOUGH_SECONDS
    while not enough(seen := look()):
        assert time.monotonic() < give_up_at, seen
        time.sleep(0.3)
    return seen


def rule_of(owner: Owner, function: str) -> tuple[Any, str, str]:
    """The events client, the rule's name, and the ARN of the function that it fires."""
    events = owner.client("events")
    for rule in events.list_rules()["Rules"]:
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
            if target["Arn"].endswith(f":{function}"):
                return events, rule["Name"], target["Arn"]
    raise AssertionError(f"no rule fires {function}")


def weekly_mails(owner: Owner) -> list[ReceivedMail]:
    return [mail for mail in received_mails(owner.stack.endpoint) if "The next mail comes on" in mail.text]


def firings(owner: Owner, function: str) -> list[str]:
    """What each firing logged of itself."""
    logs = owner.client("logs")
    group = f"/aws/lambda/{function}"
    try:
        lines = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []  # until the first firing
    return [line for line in lines if '"weekly report"' in line]


def test_five_concurrent_firings_of_the_schedule_send_one_mail(owner: Owner) -> None:
    # First of all: at the full hour the rule fires by itself as well.
    before = len(weekly_mails(owner))
    owner.types("machine", "add", "scheduled")
    # The first mail waits for a weekly hour after the first machine was added.
    owner.client("dynamodb").update_item(
        TableName=owner.stack.table,
        Key={"pk": {"S": "MACHINES"}, "sk": {"S": "scheduled"}},
        UpdateExpression="SET created_at = :long_ago",
        ExpressionAttributeValues={":long_ago": {"S": LONG_AGO}},
    )
    function = owner.stack.functions["weekly_report"]
    events, rule, arn = rule_of(owner, function)
    usual = events.describe_rule(Name=rule)["ScheduleExpression"]
    more = [{"Id": f"again-{number}", "Arn": arn} for number in range(FIRINGS - 1)]
    assert events.put_targets(Rule=rule, Targets=more)["FailedEntryCount"] == 0
    events.put_rule(Name=rule, ScheduleExpression="rate(1 minute)", State="ENABLED")
    try:
        fired = wait(lambda: firings(owner, function), lambda lines: len(lines) >= FIRINGS)
    finally:
        events.put_rule(Name=rule, ScheduleExpression=usual, State="ENABLED")
        events.remove_targets(Rule=rule, Ids=[target["Id"] for target in more])
    assert sum('"sent":true' in line for line in fired) == 1
    sent = weekly_mails(owner)[before:]
    # Other tests of this stack give machines owners of their own, who get mails of theirs.
    assert [mail.recipients for mail in sent].count(("owner@example.com",)) == 1
    assert owner.asks("report", "status")["last_sent_at"]

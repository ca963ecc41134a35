"""How long logs are kept is set for every function, also for one that wrote its first line a moment ago."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.stub import Stubber

from ops.deploy.pipeline import limit_logs
from ops.functions.compare_functions import LOG_RETENTION_DAYS
from ops.stages import Stage

HOME = Stage(name="home", account="123456789012", region="eu-central-1", sender="", recipients=())


class Account:
    """CloudWatch answers exactly what it was told to, in that order."""

    def __init__(self) -> None:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self.logs = boto3.client("logs", region_name=HOME.region, **keys)
        self.stub = Stubber(self.logs)
        self.stub.activate()

    def client(self, service: str) -> Any:
        assert service == "logs"
        return self.logs


def test_a_function_may_make_its_log_between_the_look_and_the_call() -> None:
    account = Account()
    quick, *others = [HOME.log_group(short_name) for short_name in HOME.functions]
    unlimited = [{"logGroupName": group} for group in others]
    account.stub.add_response("describe_log_groups", {"logGroups": unlimited})
    account.stub.add_client_error("create_log_group", "ResourceAlreadyExistsException")
    for group in (quick, *others):
        limit = {"logGroupName": group, "retentionInDays": LOG_RETENTION_DAYS}
        account.stub.add_response("put_retention_policy", {}, limit)
    limit_logs(account, HOME)  # type: ignore[arg-type]
    account.stub.assert_no_pending_responses()


def test_what_is_limited_already_is_left_alone() -> None:
    account = Account()
    limited = [
        {"logGroupName": HOME.log_group(short_name), "retentionInDays": LOG_RETENTION_DAYS}
        for short_name in HOME.functions
    ]
    account.stub.add_response("describe_log_groups", {"logGroups": limited})
    limit_logs(account, HOME)  # type: ignore[arg-type]
    account.stub.assert_no_pending_responses()

"""permissions"""

from __future__ import annotations

import json

from ops.aws import Aws


def may_be_called_by(aws: Aws, name: str, service: str, source_arn: str) -> bool:
    """Whether the function's policy lets ``service`` (``"events"``) call it for exactly this source.

    It compares the same fields as Chalice does to recognise its statement.
    """
    functions = aws.client("lambda")
    try:
        policy = json.loads(functions.get_policy(FunctionName=name)["Policy"])
    except functions.exceptions.ResourceNotFoundException:
        return False
    return any(
        statement["Action"] == "lambda:InvokeFunction"
        and statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
        and statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn") == source_arn
        for statement in policy["Statement"]
    )

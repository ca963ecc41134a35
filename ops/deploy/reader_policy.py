"""The IAM policy for whoever may look at a stage and change nothing: one right, on one function, which only reads.

What needs more is for the owner or for whoever deploys: ``doctor`` reads the settings of all resources, ``dead-letters
list`` hides events while it looks, ``audit`` records what it finds.
"""

from __future__ import annotations

from typing import Any

from ops.stages import Stage


def reader_policy(stage: Stage) -> dict[str, Any]:
    """The policy document for one stage in one account and region."""
    look = {
        "Sid": "Look",
        "Effect": "Allow",
        "Action": ["lambda:InvokeFunction"],
        "Resource": stage.arn("lambda", f"function:{stage.function('admin_read')}"),
    }
    return {"Version": "2012-10-17", "Statement": [look]}

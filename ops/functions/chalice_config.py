"""The stage entries of ``.chalice/config.json`` and the policy files beside it, made from a ``Stage``.

    python -m ops.functions.chalice_config        writes those of the stage ``local``, which are committed

Chalice reads them at each ``chalice package`` and ``chalice deploy``. They are never edited by hand: a test
compares what is committed with what is made here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.functions.policies import policy_document
from ops.stages import API_STAGE, APP_NAME, LAMBDA_FUNCTIONS, LOCAL, Stage

MEMORY_MB = 256
MEMORY_MB_OF = dict.fromkeys(("reconcile", "weekly_reconcile", "daily_audit", "admin", "admin_read"), 1024)
"""They need no more memory than the others: but a share of a processor comes with it, and adding up the rows of
a million objects is 100 s of a whole one; ``admin`` does so for the owner's ``audit``, ``admin_read`` for a preview of
the weekly mail. What it costs is the same, being over that much sooner."""

TIMEOUT_SECONDS = {
    "api_handler": 29,  # API Gateway waits no longer
    "authorizer": 10,
    "catalogue": 60,
    "weekly_report": 300,
    "alerts": 120,  # less than the life of its claim
    "daily_audit": 900,
    "discard": 60,
    "thaw": 900,
    "let_go": 900,
    "reconcile": 900,
    "weekly_reconcile": 900,
    "admin": 900,
    "admin_read": 900,
}
"""Time limit of each function; the visibility timeout in resources.yaml is six times the catalogue's."""

MINIMUM_COMPRESSION_BYTES = 1024
"""Answers from this size on are gzipped: a listing of a thousand files shrinks to a tenth."""


def function_environment(stage: Stage) -> dict[str, str]:
    """The environment variables that the functions find; ``chalicelib/config.py`` reads them."""
    return {
        "PANICROOM_STAGE": stage.name,
        "PANICROOM_BUCKET": stage.bucket,
        "PANICROOM_TABLE": stage.table,
        "PANICROOM_QUEUE": stage.queue,
        "PANICROOM_QUEUE_ARN": stage.arn("sqs", stage.queue),
        "PANICROOM_DEAD_LETTER_QUEUE": stage.dead_letter_queue,
        "PANICROOM_SENDER": stage.sender,
        "PANICROOM_RECIPIENTS": ",".join(stage.recipients),
        "PANICROOM_TIME_ZONE": stage.time_zone,
        "PANICROOM_REPORT_WEEKDAY": stage.report_weekday,
        "PANICROOM_REPORT_HOUR": str(stage.report_hour),
        **({"PANICROOM_MONTHLY_BUDGET": stage.monthly_budget} if stage.monthly_budget else {}),
        **({"PANICROOM_JOB_METRICS": "yes"} if stage.job_metrics else {}),
        "PANICROOM_DISCARD_FUNCTION": stage.function("discard"),
        "PANICROOM_THAW_FUNCTION": stage.function("thaw"),
        "PANICROOM_LET_GO_FUNCTION": stage.function("let_go"),
        # What names a caller is signed for the STS of the region, which Lambda's boto3, if it is old, would not ask.
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "POWERTOOLS_SERVICE_NAME": APP_NAME,
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def stage_of(function_arn: str, environment: Mapping[str, str]) -> Stage:
    """The stage in which a function is deployed: the reverse of ``function_environment``."""
    _, _, _, region, account, *_ = function_arn.split(":")
    return Stage(
        name=environment["PANICROOM_STAGE"],
        account=account,
        region=region,
        sender=environment["PANICROOM_SENDER"],
        recipients=tuple(environment["PANICROOM_RECIPIENTS"].split(",")),
        time_zone=environment["PANICROOM_TIME_ZONE"],
        report_weekday=environment["PANICROOM_REPORT_WEEKDAY"],
        report_hour=int(environment["PANICROOM_REPORT_HOUR"]),
        monthly_budget=environment.get("PANICROOM_MONTHLY_BUDGET", ""),
    )


def configured_region(stage_name: str, chalice_folder: Path) -> str | None:
    """The region to which this clone has deployed the stage; None for one that it knows nothing of."""
    config_path = chalice_folder / "config.json"
    if not config_path.exists():
        return None
    stages = json.loads(config_path.read_text()).get("stages", {})
    if stage_name not in stages:
        return None
    _, _, _, region, *_ = stages[stage_name]["environment_variables"]["PANICROOM_QUEUE_ARN"].split(":")
    return str(region)


def stage_entry(stage: Stage) -> dict[str, Any]:
    """What stands under ``stages`` in ``.chalice/config.json``."""
    return {
        "api_gateway_stage": API_STAGE,
        "api_gateway_endpoint_type": "REGIONAL",
        "minimum_compression_size": MINIMUM_COMPRESSION_BYTES,
        # Chalice's own guess reads app.py only and knows neither SES v2 nor transactions.
        "autogen_policy": False,
        "lambda_memory_size": MEMORY_MB,
        "environment_variables": function_environment(stage),
        "tags": {"service": APP_NAME, "stage": stage.name},
        "lambda_functions": {
            short_name: {
                "iam_policy_file": f"policies/{stage.name}/{short_name}.json",
                "lambda_timeout": TIMEOUT_SECONDS[short_name],
                **({"lambda_memory_size": MEMORY_MB_OF[short_name]} if short_name in MEMORY_MB_OF else {}),
            }
            for short_name in LAMBDA_FUNCTIONS
        },
    }


def config_files(stage: Stage, existing_config: dict[str, Any] | None = None) -> dict[str, str]:
    """Every file below ``.chalice/`` that the stage needs: relative path -> text.

    Other stages of ``existing_config`` stay as they are.
    """
    config = existing_config or {"version": "2.0", "app_name": APP_NAME}
    stages = {**config.get("stages", {}), stage.name: stage_entry(stage)}
    policies = {
        f"policies/{stage.name}/{short_name}.json": _as_text(policy_document(stage, short_name))
        for short_name in LAMBDA_FUNCTIONS
    }
    return {"config.json": _as_text({**config, "stages": stages}), **policies}


def write_config_files(stage: Stage, chalice_folder: Path) -> None:
    """Writes ``config_files`` into a project's ``.chalice`` folder."""
    config_path = chalice_folder / "config.json"
    existing = json.loads(config_path.read_text()) if config_path.exists() else None
    for relative_path, text in config_files(stage, existing).items():
        path = chalice_folder / relative_path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def config_differences(stage: Stage, chalice_folder: Path) -> list[str]:
    """Relative paths of the files that ``write_config_files`` would change or make."""
    config_path = chalice_folder / "config.json"
    existing = json.loads(config_path.read_text()) if config_path.exists() else None
    return [
        relative_path
        for relative_path, text in config_files(stage, existing).items()
        if not (chalice_folder / relative_path).exists()
        or (chalice_folder / relative_path).read_text() != text
    ]


def _as_text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


if __name__ == "__main__":
    write_config_files(LOCAL, Path(__file__).parents[2] / ".chalice")

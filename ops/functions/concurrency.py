"""How many invocations may run at once behind the API, so that no flood of requests takes the account's whole share.

All functions of an account and region share one limit, 1,000 in most accounts and as few as 10 in new ones. What is
reserved for a function is also the most that it may run. AWS leaves at least ``UNRESERVED`` to all that have nothing
reserved, so what others have reserved, be it another stage, counts as not there.
"""

from __future__ import annotations

from collections.abc import Mapping

from ops.aws import Aws
from ops.stages import Stage

UNRESERVED = 100
"""Lambda refuses to reserve what would leave less."""

WANTED = {"api_handler": 100, "authorizer": 50}
"""What unauthenticated callers and laptops can start. A thousand laptops need about ten at once: 50 ms a request."""

LEAST = 10
"""With fewer for the API, laptops would wait for each other; then nothing is reserved."""


def concurrency_limits(account_limit: int) -> dict[str, int]:
    """The most that each function may run at once, by short name; empty where the account has too little to reserve."""
    room = account_limit - UNRESERVED
    share = min(1.0, room / sum(WANTED.values()))
    limits = {short_name: int(wanted * share) for short_name, wanted in WANTED.items()}
    return limits if limits["api_handler"] >= LEAST else {}


def limit_for_stage(aws: Aws, stage: Stage) -> int:
    """How many invocations may run at once in the account and region, without what is reserved for other functions."""
    return _limit_beside(aws, _present(aws, stage))


def _limit_beside(aws: Aws, present: Mapping[str, int | None]) -> int:
    """The same, where ``present`` is what the stage's own functions have reserved."""
    unreserved = aws.client("lambda").get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    return int(unreserved) + sum(limit or 0 for limit in present.values())


def concurrency_differences(aws: Aws, stage: Stage) -> list[str]:
    """What ``limit_concurrency`` would change, a line each."""
    present = _present(aws, stage)
    wanted = concurrency_limits(_limit_beside(aws, present))
    return [
        f"let {stage.function(short_name)} run {wanted.get(short_name, 'any number of')} times at once at most"
        for short_name in WANTED
        if present[short_name] != wanted.get(short_name)
    ]


def limit_concurrency(aws: Aws, stage: Stage) -> None:
    """Chalice takes every limit away at each deploy, since the configuration names none: the account decides it."""
    functions, present = aws.client("lambda"), _present(aws, stage)
    wanted = concurrency_limits(_limit_beside(aws, present))
    # Lower ones first: what they give back may be what the others need.
    for short_name in sorted(WANTED, key=lambda name: wanted.get(name, 0) - (present[name] or 0)):
        limit, name = wanted.get(short_name), stage.function(short_name)
        if limit is not None and limit != present[short_name]:
            functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=limit)
        elif limit is None and present[short_name] is not None:
            functions.delete_function_concurrency(FunctionName=name)


def concurrency_complaints(limit: int) -> list[str]:
    """What the doctor says where the stage's functions may run too few times at once to reserve any; ``limit`` as
    ``limit_for_stage`` counts it."""
    if concurrency_limits(limit):
        return []
    complaint = (
        f"this account may run {limit} functions at once in this region, beside what it reserves for others, too few to"
        " keep any back: a flood of requests can delay the catalogue and the mails for as long as it lasts (nothing is"
        " lost). AWS raises the limit to 1,000 free of charge: Service Quotas, AWS Lambda, Concurrent executions; then"
        " deploy again"
    )
    return [complaint]


def _present(aws: Aws, stage: Stage) -> dict[str, int | None]:
    functions = aws.client("lambda")
    found: dict[str, int | None] = {}
    for short_name in WANTED:
        try:
            deployed = functions.get_function(FunctionName=stage.function(short_name))
        except functions.exceptions.ResourceNotFoundException:
            found[short_name] = None
            continue
        found[short_name] = deployed.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    return found

"""The clock of the service on the local stack, set ahead: what it does in half a year can be seen today.

Only the service's own clock: S3's times, events and schedules stay those of this computer.
"""

from __future__ import annotations

from datetime import timedelta

from ops.aws import Aws
from ops.local.stack_file import StackDescription

VARIABLE = "PANICROOM_CLOCK_AHEAD_SECONDS"


def clock_ahead_of(stack: StackDescription) -> timedelta:
    """How far it is ahead now."""
    functions = Aws(stack.region, stack.endpoint).client("lambda")
    answer = functions.get_function_configuration(FunctionName=stack.functions["admin"])
    return timedelta(seconds=int(answer["Environment"]["Variables"].get(VARIABLE) or 0))


def set_clock_ahead(stack: StackDescription, ahead: timedelta) -> None:
    """Of all functions, counted from this computer's time; zero for that time itself."""
    functions = Aws(stack.region, stack.endpoint).client("lambda")
    for name in stack.functions.values():
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        kept = {key: value for key, value in variables.items() if key != VARIABLE}
        more = {VARIABLE: str(int(ahead.total_seconds()))} if ahead else {}
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**kept, **more}}
        )

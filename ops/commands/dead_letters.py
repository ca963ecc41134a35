"""``python -m ops dead-letters``: events that the catalogue could not take."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from ops.commands.arguments.durations import show_duration
from ops.commands.arguments.options import console, print_json, stage_options, typed
from ops.commands.arguments.whole_help import WholeHelp
from ops.service.dead_letters import DeadLetter, DeadLetterQueue
from ops.service.deployed_stage import deployed_stage


@click.group("dead-letters", cls=WholeHelp)
def dead_letters() -> None:
    """Events that the catalogue could not process in five tries. They stay for two weeks."""


@dead_letters.command("list")
@stage_options
def list_(stage: str, state_folder: Path, as_json: bool) -> None:
    """Look at them; none is lost by that."""
    letters = _queue(stage, state_folder).read()
    now = datetime.now(timezone.utc)
    if as_json:
        print_json({"messages": [_described(letter, now) for letter in letters]})
        return
    if not letters:
        console.print("No event is waiting here.")
        return
    for letter in letters:
        age = show_duration(_age_seconds(letter, now))
        console.print(
            f"{letter.message_id}  {age} old, received {letter.receive_count} times\n    {letter.about}\n"
            f"    {_verdict(letter, stage)}",
            markup=False,
        )
    console.print(f"{len(letters)} waiting.")


@dead_letters.command()
@stage_options
def replay(stage: str, state_folder: Path, as_json: bool) -> None:
    """Send again what can be read, once the cause of the failures is gone; what is malformed stays."""
    sent, left = _queue(stage, state_folder).replay()
    if as_json:
        now = datetime.now(timezone.utc)
        print_json({"replayed": len(sent), "left": [_described(letter, now) for letter in left]})
        return
    console.print(f"{len(sent)} sent again.")
    if left:
        console.print(f"{len(left)} are malformed and stay; they go by themselves after two weeks.")


def _queue(stage_name: str, state_folder: Path) -> DeadLetterQueue:
    deployed = deployed_stage(stage_name, state_folder)
    stage = deployed.stage
    return DeadLetterQueue(deployed.aws.client("sqs"), stage.queue, stage.dead_letter_queue)


def _verdict(letter: DeadLetter, stage: str) -> str:
    if letter.malformed:
        return f"malformed: {letter.malformed}"
    return f"can be read: {typed('dead-letters replay', stage)} sends it again"


def _described(letter: DeadLetter, now: datetime) -> dict[str, Any]:
    return {
        "message_id": letter.message_id,
        "receive_count": letter.receive_count,
        "sent_at": f"{letter.sent_at:%Y-%m-%dT%H:%M:%SZ}",
        "age_seconds": _age_seconds(letter, now),
        "about": letter.about,
        "malformed": letter.malformed,
    }


def _age_seconds(letter: DeadLetter, now: datetime) -> int:
    return max(0, int((now - letter.sent_at).total_seconds()))

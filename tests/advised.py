"""Types the ``aws s3api`` commands that a finding advises, as the CLI would: its words are boto3's."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterable
from typing import Any


def type_commands(s3: Any, commands: Iterable[str]) -> None:
    """One after the other; a look at a thaw waits until it is over."""
    for line in commands:
        program, part, operation, *words = shlex.split(line)
        assert (program, part) == ("aws", "s3api"), line
        arguments = dict(zip(words[::2], words[1::2], strict=True))
        query = arguments.pop("--query", None)
        call = getattr(s3, operation.replace("-", "_"))
        given = {_camel(name): _value(operation, text) for name, text in arguments.items()}
        answer = call(**given)
        while query is not None and 'ongoing-request="false"' not in answer.get(query, ""):
            time.sleep(0.2)
            answer = call(**given)


def _camel(option: str) -> str:
    return "".join(part.capitalize() for part in option.removeprefix("--").split("-"))


def _value(operation: str, text: str) -> Any:
    if text.startswith("{"):
        return json.loads(text)
    tags = re.fullmatch(r"TagSet=\[\{Key=(.*),Value=(.*)\}\]", text)
    if tags:
        return {"TagSet": [{"Key": tags[1], "Value": tags[2]}]}
    if "=" in text and operation.startswith("put-"):  # the CLI's shorthand: Status=Enabled,Other=true
        pairs = (pair.split("=") for pair in text.split(","))
        return {name: {"true": True}.get(value, value) for name, value in pairs}
    return text

"""``stack.json``: where the parts of the running local stack are, for people, tests and other programs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

FILE_NAME = "stack.json"


@dataclasses.dataclass(frozen=True)
class StackDescription:
    """``queue`` and ``dead_letter_queue`` are URLs; ``functions`` maps short names to deployed ones."""

    endpoint: str
    region: str
    api_url: str
    bucket: str
    table: str
    queue: str
    dead_letter_queue: str
    functions: dict[str, str]

    def write(self, state_folder: Path) -> None:
        (state_folder / FILE_NAME).write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")


def read_stack(state_folder: Path) -> StackDescription | None:
    """The description that ``local up`` wrote, or None where there is none that can be read."""
    try:
        return StackDescription(**json.loads((state_folder / FILE_NAME).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None

"""What each speed-up saves: the same backup with and without it, in turns, in one run.

The budget lies between the ratio that was measured and 1: a speed-up that has no effect any more misses it, which no
other measurement would show. Processors' time is compared where the speed-up saves that, since other programs on the
machine hardly change it.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bench.processes import Cost
from bench.programs import Client, UploadTarget

WITHOUT = "PANICROOM_WITHOUT"


@dataclass(frozen=True)
class SpeedUp:
    """``patch``: the name of one of duplicity's patches; else ``settings`` of the client turn it off.

    ``unchanged``: it counts in a backup where nothing has changed, after a full one.
    """

    name: str
    kind: str
    budget: float
    unit: Literal["seconds", "seconds of CPU"] = "seconds of CPU"
    line: str = "near"
    patch: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    unchanged: bool = False
    rounds: int = 3

    def measure(self, place: UploadTarget, source: Path) -> float:
        """The cost with it as a part of that without it; medians of ``rounds``."""
        costs: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(self.rounds):
            for on, found in costs.items():
                found.append(self._value(self._back_up(place, source, on)))
        return statistics.median(costs[True]) / statistics.median(costs[False])

    def _back_up(self, place: UploadTarget, source: Path, on: bool) -> Cost:
        client = Client(place, source)
        if not on:
            self._turn_off(client)
        cost = client.back_up()
        if self.unchanged:
            client.kind = "incremental"
            cost = client.back_up()
        return cost

    def _turn_off(self, client: Client) -> None:
        if self.patch is not None:
            client.more[WITHOUT] = self.patch
            return
        path = client.home / "config" / "panicroom.toml"
        text = path.read_text()
        for name, value in self.settings.items():
            text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
            assert count == 1, name
        path.write_text(text)

    def _value(self, cost: Cost) -> float:
        return cost.seconds if self.unit == "seconds" else cost.cpu_seconds


SPEED_UPS = (
    SpeedUp("gpg started early", "incompressible", 0.97, "seconds", patch="gpg-ahead", rounds=5),
    SpeedUp(
        "no compression where a sample does not shrink",
        "incompressible",
        0.85,
        settings={"compress": '"always"'},
    ),
    SpeedUp(
        "upload threads", "incompressible", 0.6, "seconds", "far", settings={"upload_threads": "1"}, rounds=1
    ),
    SpeedUp("small files in one go", "small files", 0.95, patch="small-files"),
    SpeedUp("messages that nobody receives", "small files", 0.97, patch="quiet-log"),
    SpeedUp("paths from one lstat", "small files", 0.97, patch="scan", unchanged=True),
    SpeedUp("signatures by slices", "small files", 0.9, patch="signatures", unchanged=True),
)

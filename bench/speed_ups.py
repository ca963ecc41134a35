"""What each speed-up saves: the same backup with and without it, in pairs, in one run.

The budget lies between the ratio that was measured and 1, so that one without effect misses it. Of a patch, the log
also says how often it was used: not at all where it is off, and often where it is on. Processors' time is compared
where the speed-up saves that, since other programs on the machine hardly change it.
"""

from __future__ import annotations

import re
import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from panicroom.duplicity_run.plan import WITHOUT_VARIABLE
from panicroom.duplicity_run.speed.patches import USED

from bench.budgets import Budgets
from bench.processes import Cost
from bench.programs import Client, UploadTarget, make_source
from bench.upload import places


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
    pairs: int = 5

    def measure(self, place: UploadTarget, source: Path) -> float:
        """The cost with it as a part of that without it: the median of ``pairs``, each of which begins with the other
        of the two."""
        ratios = []
        for number in range(self.pairs):
            costs = {
                on: self._back_up(place, source, on) for on in ((True, False), (False, True))[number % 2]
            }
            ratios.append(self._value(costs[True]) / self._value(costs[False]))
        return statistics.median(ratios)

    def _back_up(self, place: UploadTarget, source: Path, on: bool) -> Cost:
        client = Client(place, source)
        if not on:
            self._turn_off(client)
        cost = client.back_up()
        if self.unchanged:
            client.kind = "incremental"
            cost = client.back_up()
        if self.patch is not None:
            used = times_used(client, self.patch)
            assert (used > 0) == on, f"{self.name} was used {used} times where it is {'on' if on else 'off'}"
        return cost

    def _turn_off(self, client: Client) -> None:
        if self.patch is not None:
            client.more[WITHOUT_VARIABLE] = self.patch
            return
        path = client.home / "config" / "panicroom.toml"
        text = path.read_text()
        for name, value in self.settings.items():
            text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
            assert count == 1, name
        path.write_text(text)

    def _value(self, cost: Cost) -> float:
        return cost.seconds if self.unit == "seconds" else cost.cpu_seconds


def times_used(client: Client, patch: str) -> int:
    """In the newest run, as its log says."""
    log = (client.home / "state" / "panicroom.log").read_text(errors="replace")
    newest = re.findall(f"{USED}(.*)", log)[-1]
    return next((int(times) for name, times in re.findall(r"([\w-]+) (\d+)", newest) if name == patch), 0)


SPEED_UPS = (
    SpeedUp("gpg started early", "incompressible", 0.97, "seconds", patch="gpg-ahead", pairs=9),
    SpeedUp(
        "no compression where a sample does not shrink",
        "incompressible",
        0.85,
        settings={"compress": '"always"'},
    ),
    SpeedUp(
        "upload threads", "incompressible", 0.6, "seconds", "far", settings={"upload_threads": "1"}, pairs=1
    ),
    SpeedUp("small files in one go", "small files", 0.95, patch="small-files"),
    SpeedUp("messages that nobody receives", "small files", 0.97, patch="quiet-log"),
    SpeedUp("paths from one lstat", "small files", 0.97, patch="scan", unchanged=True),
    SpeedUp("signatures by slices", "small files", 0.9, patch="signatures", unchanged=True),
)


def main(say: Callable[[str], None]) -> list[str]:
    """Says each ratio; those that miss their budget."""
    budgets = Budgets(say)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        sizes = {"incompressible": 300, "small files": 60}
        sources = {kind: make_source(folder, kind, size) for kind, size in sizes.items()}
        with places(folder) as found:
            for each in SPEED_UPS:
                ratio = each.measure(found[each.line], sources[each.kind])
                budgets.check(f"{each.name}: {each.unit} with it to those without", ratio, each.budget)
    return budgets.missed

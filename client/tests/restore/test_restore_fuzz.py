"""Random trees, chains, selections, damage and kills: exit 0 means equal, and 27 names exactly what is not."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from laptop import Laptop, next_second
from panicroom.exit_codes import ExitCode
from restore.changing_trees import ChangingTree, Look, look

SETS = 3


class RandomJob:
    """A job with a few sets, copies of the source as of each, and restores at random."""

    def __init__(self, laptop: Laptop, seed: int) -> None:
        self.laptop, self.chance = laptop, random.Random(seed)
        self.truths: list[Path] = []
        self._restores = 0
        tree = ChangingTree(laptop.source, seed)
        tree.grow(25)
        laptop.enrol()
        for number in range(SETS):
            if number:
                next_second()
                tree.change()
            laptop.succeed("backup", "--accept-smaller")
            self.truths.append(laptop.home / f"truth-{number}")
            shutil.copytree(laptop.source, self.truths[-1], symlinks=True, copy_function=_copy)
        self.times = [name.rsplit(".", 1)[-1] for name in laptop.service.sealed()]
        self.whole = dict(laptop.service.objects)

    def restore_at_random(self) -> None:
        """A random time and selection, perhaps with damage, perhaps killed once on the way."""
        number = self.chance.randrange(SETS)
        truth = look(self.truths[number])
        paths = self._paths(truth)
        if self.chance.random() < 0.6:
            self._damage()
        self._restores += 1
        out = self.laptop.home / f"out-{self._restores}"
        arguments = ["restore", "--to", str(out), "--time", self.times[number], "--json", "--", *paths]
        if self.chance.random() < 0.4:
            self._kill(arguments)
        ended = self.laptop.run(*arguments)
        self.laptop.service.objects.update(self.whole)
        assert ended.returncode in (0, ExitCode.RESTORE_INCOMPLETE), ended.stderr
        report = json.loads(ended.stdout.splitlines()[-1])
        expected, found = _selected(truth, paths), look(out)
        named = {item["path"] for item in report["differing"]}
        assert (ended.returncode == 0) == (not named)
        assert {path for path in expected if found.get(path) != expected[path]} == named
        assert found.keys() <= expected.keys()

    def _paths(self, truth: Look) -> list[str]:
        if self.chance.random() < 0.4:
            return []
        return self.chance.choices(sorted(truth.keys() - {"."}) or ["."], k=self.chance.randrange(1, 4))

    def _damage(self) -> None:
        objects = self.laptop.service.objects
        for name in self.chance.sample(sorted(name for name in objects if ".vol" in name), 1):
            data = objects[name].data
            place = self.chance.randrange(len(data))
            damaged = {
                "cut": data[:place],
                "flipped": data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :],
                "rubbish": os.urandom(len(data)),
            }
            kind = self.chance.choice(["absent", *damaged])
            if kind == "absent":
                del objects[name]
            else:
                objects[name] = dataclasses.replace(objects[name], data=damaged[kind])

    def _kill(self, arguments: list[str]) -> None:
        process = self.laptop.start(*arguments)
        time.sleep(self.chance.uniform(0.3, 6))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        out = Path(arguments[2])
        if out.exists():
            shutil.rmtree(out)  # it was done, or killed behind its last step


def _copy(source: str, target: str) -> None:
    if os.path.islink(source):  # noqa: PTH114
        os.symlink(os.readlink(source), target)  # noqa: PTH115, PTH211
    elif Path(source).is_file():
        shutil.copy2(source, target)
    else:
        os.mkfifo(target)
        shutil.copystat(source, target)


def _selected(truth: Look, paths: list[str]) -> Look:
    """What a restore of ``paths`` is to bring: they, what is below them, and the folders above."""
    if not paths:
        return truth
    found: Look = {}
    for path in paths:
        above = Path(path)
        found.update(
            {key: value for key, value in truth.items() if Path(key) == above or above in Path(key).parents}
        )
        found.update({str(folder): truth[str(folder)] for folder in above.parents})
    return found


def test_restores_at_random(laptop: Laptop) -> None:
    job = RandomJob(laptop, seed=1)
    for _ in range(3):
        job.restore_at_random()


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 32))
def test_many_restores_at_random(laptop: Laptop, seed: int) -> None:
    job = RandomJob(laptop, seed)
    for _ in range(8):
        job.restore_at_random()

"""Photos are not compressed in vain, text is; what was written either way comes back."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from laptop import Laptop, next_second
from panicroom.backup.compression import COMPRESSED, SAMPLED_BLOCKS, UNCOMPRESSED, Sampler, Trial, choose
from panicroom.duplicity_run.sources import survey
from panicroom.settings import Compress
from trees import differences, snapshot

CHANCE = random.Random(5)
TEXT = b"All work and no play makes Jack a dull boy.\n" * 5000


def sampled(source: Path) -> Sampler:
    sampler = Sampler(random.Random(7))
    survey(source, sampler.offer)
    return sampler


def test_photos_are_not_compressed(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}.jpg").write_bytes(CHANCE.randbytes(30_000))
    assert choose("auto", sampled(tmp_path)).gpg_options == UNCOMPRESSED


@pytest.mark.parametrize("files", [1, 100], ids=["one file", "many files"])
def test_text_is_compressed(tmp_path: Path, files: int) -> None:
    for number in range(files):
        (tmp_path / f"{number}.txt").write_bytes(TEXT)
    assert choose("auto", sampled(tmp_path)).gpg_options == COMPRESSED


def test_bytes_count_and_not_files(tmp_path: Path) -> None:
    """A thousand notes beside a film: nearly all of it is the film."""
    (tmp_path / "film").write_bytes(CHANCE.randbytes(20_000_000))
    for number in range(1000):
        (tmp_path / f"{number}.txt").write_bytes(b"note " * 20)
    assert not sampled(tmp_path).trial().pays


def test_a_tenth_of_text_is_worth_it(tmp_path: Path) -> None:
    for number in range(90):
        (tmp_path / f"{number}.jpg").write_bytes(CHANCE.randbytes(100_000))
    for number in range(20):
        (tmp_path / f"{number}.txt").write_bytes(TEXT[:100_000])
    assert sampled(tmp_path).trial().pays


def test_little_is_read_of_a_large_source(tmp_path: Path) -> None:
    for number in range(SAMPLED_BLOCKS * 3):
        (tmp_path / str(number)).write_bytes(CHANCE.randbytes(100_000))
    assert sampled(tmp_path).trial().tried_bytes == SAMPLED_BLOCKS * 64 * 1024


def test_files_that_lie_in_a_cloud_are_not_fetched_for_the_sample(tmp_path: Path) -> None:
    """They have a length and no blocks, as a sparse file has."""
    (tmp_path / "placeholder").touch()
    os.truncate(tmp_path / "placeholder", 10_000_000)
    (tmp_path / "photo").write_bytes(CHANCE.randbytes(100_000))
    assert not sampled(tmp_path).trial().pays


def test_files_that_vanish_or_are_no_files_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "gone").write_bytes(b"x" * 1000)
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    sampler = sampled(tmp_path)
    (tmp_path / "gone").unlink()
    (tmp_path / "gone").symlink_to("pipe")
    assert sampler.trial() == Trial(0, 0)
    assert choose("auto", sampler).gpg_options == COMPRESSED


@pytest.mark.parametrize(("setting", "options"), [("always", ()), ("never", UNCOMPRESSED)])
def test_the_setting_overrules_the_sample(setting: Compress, options: tuple[str, ...]) -> None:
    assert choose(setting, Sampler()).gpg_options == options


@pytest.mark.parametrize(
    ("written", "stands"),
    [
        ("compress-algo bzip2\n", True),
        ("# keys\n  compress-level 9\n", True),
        ("z 9", True),
        ("personal-compress-preferences ZLIB", True),
        ("# compress-algo bzip2\ns2k-count 65536\n", False),
        ("", False),
    ],
)
def test_what_somebody_told_gpg_about_compression_stands(written: str, stands: bool) -> None:
    assert (choose("auto", Sampler(), written).gpg_options == ()) == stands


def test_a_chain_of_both_kinds_restores(laptop: Laptop) -> None:
    """The full set is of photos; the increment, when text has come to outweigh them, is compressed."""
    photo, text = laptop.source / "photo", laptop.source / "text"
    photo.write_bytes(CHANCE.randbytes(300_000))
    laptop.enrol()
    laptop.succeed("backup")
    log = laptop.home / "state" / "panicroom.log"
    assert "gpg does not compress: " in log.read_text()
    assert UNCOMPRESSED[0] in log.read_text()

    text.write_bytes(TEXT * 10)
    next_second()
    laptop.succeed("backup")
    assert "gpg compresses: " in log.read_text()
    increment = next(
        item for key, item in laptop.service.objects.items() if "duplicity-inc" in key and "vol1" in key
    )
    assert len(increment.data) < 100_000
    assert differences(snapshot(laptop.source), snapshot(laptop.restore())) == []

"""Fixtures: a fake service, and a laptop with folders of its own, kept whole if its test fails."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from fake_service import FakeService
from laptop import Laptop, laptop_in, preloaded

from ops.demo.laptop import gpg_folder

FAILED_STORIES = Path(__file__).parents[2] / "build" / "failed-stories"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keeps everything of the laptop of a failed test, and names the archive in the report."""
    report = yield
    laptop = getattr(item, "funcargs", {}).get("laptop")
    if report.when == "call" and report.failed and isinstance(laptop, Laptop):
        name = re.sub(r"\W+", "-", item.name)[:80]
        archive = FAILED_STORIES / f"{name}-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.tar.gz"
        try:
            laptop.keep(archive)
            report.sections.append(("everything of this laptop", str(archive)))
        except OSError as error:
            report.sections.append(("this laptop could not be kept", str(error)))
    return report


@pytest.fixture
def service() -> Iterator[FakeService]:
    fake = FakeService()
    yield fake
    fake.close()


@pytest.fixture(scope="session")
def gnupg() -> Iterator[Path]:
    with gpg_folder(is_quick=True) as folder:
        yield folder


@pytest.fixture
def laptop(tmp_path: Path, service: FakeService, gnupg: Path) -> Laptop:
    (tmp_path / "source").mkdir()
    return Laptop(tmp_path, gnupg, service)


@pytest.fixture(scope="module")
def laptop_of_file(tmp_path_factory: pytest.TempPathFactory, gnupg: Path) -> Iterator[Laptop]:
    """For what the tests of a file have in common; each takes it over into a laptop of its own."""
    with laptop_in(tmp_path_factory.mktemp("laptop"), gnupg) as laptop:
        yield laptop


@pytest.fixture
def backed_up(laptop: Laptop, made_once: Laptop) -> Laptop:
    """With the backups of ``made_once``, which each file makes as it needs them, from ``laptop_of_file``."""
    laptop.take_over(made_once)
    return laptop


@pytest.fixture
def without_links(tmp_path: Path) -> dict[str, str]:
    """Variables with which a hard link is refused, as exFAT does."""
    code = "#include <errno.h>\nint link(void){errno=EPERM;return -1;}\nint linkat(void){errno=EPERM;return -1;}\n"
    return preloaded(tmp_path, code)

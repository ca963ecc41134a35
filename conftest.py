"""Hypothesis without a clock, and the order in which the files of tests are begun: those that take longest first, so
that at the end nothing waits for one of them. (`make test` gives each file as a whole to one of its processes.)"""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "panicroom", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("panicroom")

# A shell's job in the background ignores Ctrl-C, and so would every program at which a test presses it.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONG = (
    "test_deploy",
    "test_deploy_again",
    "test_storm",
    "test_interrupted",
    "test_demo",
    "test_one_version_apart",
    "test_gpg_key",
    "test_killed_backups",
    "test_misplaced",
    "test_clear_errors",
    "test_roles",
    "test_policies_fit_the_code",
    "test_attacker",
    "test_moving_in",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))

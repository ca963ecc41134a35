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
    "test_ansible",
    "test_deploy_again",
    "test_letting_go",
    "test_pile_of_photos",
    "test_deploy",
    "test_killed_backups",
    "test_interrupted",
    "test_documents_typed",
    "test_demo",
    "test_roles",
    "test_storm",
    "test_one_version_apart",
    "test_year_of_drills",
    "test_accessibility",
    "test_clear_errors",
    "test_misplaced",
    "test_retention_admin",
    "test_machine_drop",
    "test_plain_way",
    "test_weekly_schedule",
    "test_moving_in",
    "test_gpg_key",
    "test_attacker",
    "test_policies_fit_the_code",
    "test_looking",
    "test_uploads",
    "test_let_chains_go",
    "test_rebuild",
    "test_properties",
    "test_a_year_of_alerts",
    "test_thieves",
    "test_mail_form",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))

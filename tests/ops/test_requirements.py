"""The zip is compared file by file, so every library that goes into it has its version in ``requirements.txt``."""

from __future__ import annotations

from importlib.metadata import requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops.functions.compare_functions import runtime_differences
from ops.functions.package import PROJECT


def listed() -> list[Requirement]:
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_what_pip_resolves_is_exactly_what_is_listed() -> None:
    """By what the installed libraries say that they need, so that no test asks a registry."""
    found, waiting = set[str](), [one.name for one in listed()]
    while waiting:
        name = waiting.pop()
        if canonicalize_name(name) not in found:
            found.add(canonicalize_name(name))
            needed = [Requirement(text) for text in requires(name) or []]
            waiting += [one.name for one in needed if not one.marker or one.marker.evaluate({"extra": ""})]
    assert found == {canonicalize_name(one.name) for one in listed()}


def test_each_has_one_version_which_is_the_one_that_the_tests_run_with() -> None:
    assert [str(one.specifier) for one in listed()] == [f"=={version(one.name)}" for one in listed()]


def test_functions_on_another_python_are_told_with_what_leaves_them_there() -> None:
    [said] = runtime_differences({("python3.12", "python3.11"), ("python3.11", "python3.11")})
    assert said.startswith(
        "the functions run on python3.12 and this clone on python3.11 (to leave them there, "
    )
    assert said.endswith("remove .venv and type `make PYTHON=python3.12 owner` first)")

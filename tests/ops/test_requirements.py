"""Everything that is installed has one version and its digests, and packing it twice makes the same zip."""

from __future__ import annotations

import re
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops.functions.compare_functions import runtime_differences
from ops.functions.package import PROJECT, copy_project, package_app
from ops.stages import LOCAL

LOCKED = [*sorted(PROJECT.glob("requirements*.txt")), PROJECT / "client" / "requirements.txt"]
LONGEST_ZIP_BYTES = 3 * 2**20


def locked(path: Path) -> dict[str, list[str]]:
    """Each requirement, as pip reads it, with its digests."""
    entries = path.read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    parts = [re.split(r"\s+--hash=", entry.strip()) for entry in entries if entry.strip()]
    return {requirement: digests for requirement, *digests in parts}


def _is_wanted(one: Requirement) -> bool:
    """By this Python, on this system."""
    return not one.marker or one.marker.evaluate({"extra": ""})


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: str(path.relative_to(PROJECT)))
def test_everything_has_one_version_and_its_digests(path: Path) -> None:
    assert len(LOCKED) == 5
    for requirement, digests in locked(path).items():
        [pin] = Requirement(requirement).specifier
        assert pin.operator == "==", requirement
        assert digests, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in digests)


@pytest.mark.parametrize("path", sorted(PROJECT.glob("requirements*.in")), ids=lambda path: path.name)
def test_what_is_asked_for_is_what_is_locked(path: Path) -> None:
    """`make lock` writes the one from the other."""
    lines = [line for line in path.read_text().splitlines() if line[:1] not in ("", "#", "-")]
    asked = [one for line in lines if (one := Requirement(line.partition(" #")[0])) and _is_wanted(one)]
    found = {
        canonicalize_name(one.name): one.specifier
        for one in map(Requirement, locked(path.with_suffix(".txt")))
    }
    assert {canonicalize_name(one.name): one.specifier for one in asked}.items() <= found.items()


def test_the_clients_lock_has_everything_that_the_client_needs() -> None:
    found = {
        canonicalize_name(Requirement(one).name) for one in locked(PROJECT / "client" / "requirements.txt")
    }
    waiting, needed = ["panicroom"], set[str]()
    while waiting:
        for one in map(Requirement, requires(waiting.pop()) or []):
            name = canonicalize_name(one.name)
            if _is_wanted(one) and name not in needed:
                needed.add(name)
                # duplicity stands in this environment without the cloud libraries that it declares.
                waiting += [] if name == "duplicity" else [name]
    assert needed - found == set()


def test_what_pip_resolves_for_the_functions_is_exactly_what_is_listed() -> None:
    """By what the installed libraries say that they need, so that no test asks a registry. Each is the version that
    the tests run with."""
    listed = [Requirement(one) for one in locked(PROJECT / "requirements.txt")]
    found, waiting = set[str](), [one.name for one in listed]
    while waiting:
        name = waiting.pop()
        if canonicalize_name(name) not in found:
            found.add(canonicalize_name(name))
            needed = [Requirement(text) for text in requires(name) or []]
            waiting += [one.name for one in needed if not one.marker or one.marker.evaluate({"extra": ""})]
    assert found == {canonicalize_name(one.name) for one in listed}
    assert [str(one.specifier) for one in listed] == [f"=={version(one.name)}" for one in listed]


def test_the_zip_is_the_same_byte_for_byte_from_two_clones(tmp_path: Path) -> None:
    zips = []
    for name in ("one", "another place"):
        folder = tmp_path / name
        folder.mkdir()
        copy_project(folder / "project", LOCAL)
        zips.append(package_app(folder / "project", LOCAL, folder).zip_path.read_bytes())
    assert zips[0] == zips[1]
    assert len(zips[0]) < LONGEST_ZIP_BYTES


def test_functions_on_another_python_are_told_with_what_leaves_them_there() -> None:
    [said] = runtime_differences({("python3.12", "python3.11"), ("python3.11", "python3.11")})
    assert said.startswith(
        "the functions run on python3.12 and this clone on python3.11 (to leave them there, "
    )
    assert said.endswith("remove .venv and type `make PYTHON=python3.12 owner` first)")

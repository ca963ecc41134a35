"""A chain goes when another one can stand in for it: hidden at one stroke, tagged, marked, and gone after the grace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.memory_aws import service_in_memory
from tests.service.conftest import Service
from tests.service.letting_go import STORAGE_TAG, TAG, Archive


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with service_in_memory(monkeypatch) as service:
        yield service


@pytest.fixture
def archive(service: Service) -> Archive:
    return Archive(service)


def test_the_old_chain_goes_whole_and_no_other_file_is_touched(archive: Archive) -> None:
    old, _ = archive.two_chains()
    before = archive.versions()
    ran = archive.let_go()
    assert [(row.chain, row.state, len(row.sets), row.files) for row in ran.let_go] == [
        (old, "hidden", 3, 12)
    ]
    marked = archive.marked()
    assert len(marked) == 12
    assert all(old.rpartition(".")[2] in name or "inc" in name or "new-signatures" in name for name in marked)
    for name, of_key in archive.versions().items():
        short = name.removeprefix(archive.prefix)
        if short in marked:
            (_, is_marker), (version, _) = of_key
            assert is_marker
            expected = {**TAG, **(STORAGE_TAG if ".vol" in short else {})}
            assert archive.tags(short, version) == expected
        else:
            assert of_key == before[name]
            assert TAG.items().isdisjoint(archive.tags(short, of_key[0][0]).items())
    archive.deliver()
    assert archive.findings() == []
    assert archive.let_go().let_go == ()
    assert archive.marked() == marked

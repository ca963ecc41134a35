"""The whole way of a chain with boto3's own client in front: what the stand-in in memory answers is only ours."""

from __future__ import annotations

import dataclasses

import pytest

from tests.service.conftest import BUCKET, Service
from tests.service.letting_go import STORAGE_TAG, TAG, Archive


@pytest.fixture
def archive(service: Service, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """S3's clock goes as the service's."""
    monkeypatch.setattr("moto.s3.models.utcnow", lambda: service.now.replace(tzinfo=None))
    return Archive(service)


def test_a_chain_goes_whole_and_the_next_backup_goes_on(archive: Archive) -> None:
    old, new = archive.two_chains()
    newest = sorted(archive.listed())
    ran = archive.let_go()
    assert [(row.chain, row.state, row.files) for row in ran.let_go] == [(old, "hidden", 12)]
    marked = archive.marked()
    assert len(marked) == 12
    for name in marked:
        [marker, (version, _)] = archive.versions()[archive.prefix + name]
        assert marker[1]
        assert archive.tags(name, version) == {**TAG, **(STORAGE_TAG if ".vol" in name else {})}
    archive.deliver()
    assert archive.findings() == []
    assert archive.listed() == set(newest) - marked
    assert new in str(sorted(archive.listed()))


def test_a_bucket_that_keeps_no_versions_lets_nothing_go(archive: Archive) -> None:
    archive.two_chains()
    archive.service.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    assert "Versioning of the bucket is not enabled" in archive.let_go().waits[0]
    assert archive.marked() == set()


def test_nothing_goes_that_the_owner_has_dropped_or_brings_back_meanwhile(archive: Archive) -> None:
    from chalicelib import wiring

    archive.two_chains()
    archive.let_go()
    [row] = archive.rows()
    undone = dataclasses.replace(row, marked_at=None, undone_at=archive.service.now)
    assert wiring.retention_store().record(undone)
    before = archive.versions()
    archive.wait(days=1)
    assert archive.let_go().let_go == ()
    assert archive.versions() == before
    assert [one.undone_at for one in archive.rows()] == [undone.undone_at]

"""Names as duplicity writes them, with duplicity itself as the judge."""

from __future__ import annotations

import pytest
from duplicity import config, dup_time, file_naming
from panicroom.names import ARCHIVE_PREFIX, METADATA_PREFIX, parse_name, sealed_sets, set_kind, set_time

EARLIER, LATER = 1795383221, 1795383227


@pytest.fixture(autouse=True)
def prefixes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "file_prefix_archive", ARCHIVE_PREFIX.encode())
    for kind in ("manifest", "signature", "jsonstat"):
        monkeypatch.setattr(config, f"file_prefix_{kind}", METADATA_PREFIX.encode())
    monkeypatch.setattr(config, "use_gpgsm", False)
    dup_time.setcurtime(LATER)
    dup_time.setprevtime(EARLIER)


KINDS = [
    ({"type": "full", "volume_number": 12, "encrypted": True}, "volume", "full.20261122T213347Z"),
    ({"type": "inc", "volume_number": 1, "encrypted": True}, "volume", "inc"),
    ({"type": "full", "manifest": True, "encrypted": True}, "manifest", "full"),
    ({"type": "inc", "manifest": True, "partial": True}, "manifest", "inc"),
    ({"type": "inc", "manifest": True}, "manifest", "inc"),
    ({"type": "full-sig", "gzipped": True}, "signatures", "full"),
    ({"type": "full-sig", "partial": True}, "signatures", "full"),
    ({"type": "new-sig", "encrypted": True}, "signatures", "inc"),
    ({"type": "full-stat", "encrypted": True}, "jsonstat", "full"),
    ({"type": "inc-stat", "gzipped": True}, "jsonstat", "inc"),
]


@pytest.mark.parametrize(("how", "kind", "set_prefix"), KINDS)
def test_every_name_that_duplicity_makes_is_understood(
    how: dict[str, object], kind: str, set_prefix: str
) -> None:
    """Kind, set, volume and being partial agree with duplicity's own parser."""
    options = dict(how)
    name = file_naming.get(options.pop("type"), **options).decode()
    theirs, ours = file_naming.parse(name.encode()), parse_name(name)
    assert ours is not None, name
    assert ours.kind == kind
    assert ours.set.startswith(set_prefix)
    assert ours.volume == theirs.volume_number
    assert ours.partial == bool(theirs.partial)
    assert set_time(ours.set).timestamp() == (theirs.time or theirs.end_time)
    assert set_kind(ours.set) == ("full" if theirs.time else "incremental")


@pytest.mark.parametrize(
    "name",
    [
        "duplicity-full.20261122T213347Z.vol1.difftar.gpg",
        "data_duplicity-full.20261122T213347Z.vol0.difftar.gpg",
        "data_duplicity-full.20261122T213347Z.vol01.difftar.gpg",
        "meta_duplicity-full-signatures.20261122T213341Z.to.20261122T213347Z.sigtar.gpg",
        "meta_duplicity-new-signatures.20261122T213347Z.sigtar.gpg",
        "meta_duplicity-full.20261122T213347Z.manifest.gpg.tmp",
        "lockfile",
        "",
    ],
)
def test_what_duplicity_does_not_write_here_means_nothing(name: str) -> None:
    assert parse_name(name) is None


def test_a_set_is_sealed_by_its_manifest_and_not_by_a_partial_one() -> None:
    assert sealed_sets(
        [
            "meta_duplicity-full.20261122T213347Z.manifest.gpg",
            "meta_duplicity-full.20261123T213347Z.manifest.part",
            "data_duplicity-full.20261124T213347Z.vol1.difftar.gpg",
        ]
    ) == {"full.20261122T213347Z"}

"""Manifests, with duplicity's own parser as the authority."""

from __future__ import annotations

import contextlib

import pytest
from duplicity import manifest as duplicity_manifest
from hypothesis import given
from hypothesis import strategies as st
from panicroom.duplicity_files.manifest import ManifestUnreadable, parse_manifest, unquote

names = st.binary(min_size=1, max_size=12).filter(
    lambda name: b"/" not in name and b"\0" not in name and name != b"."
)
indexes = st.lists(names, max_size=4).map(tuple)
blocks = st.one_of(st.none(), st.integers(0, 10**6))
volumes = st.lists(
    st.tuples(indexes, blocks, indexes, blocks, st.text("0123456789abcdef", min_size=1, max_size=40)),
    min_size=1,
    max_size=6,
)


def written(ranges: list[tuple[tuple[bytes, ...], int | None, tuple[bytes, ...], int | None, str]]) -> bytes:
    """A manifest as duplicity writes it."""
    manifest = duplicity_manifest.Manifest()
    manifest.hostname, manifest.local_dirname = "laptop", b"/home/anna b/\xff"
    for number, (first, first_block, last, last_block, digest) in enumerate(ranges, 1):
        volume = duplicity_manifest.VolumeInfo()
        volume.set_info(number, first, first_block, last, last_block)
        volume.set_hash("SHA1", digest)
        manifest.add_volume_info(volume)
    return bytes(manifest.to_string())


@given(volumes)
def test_it_reads_what_duplicity_writes_as_duplicity_does(
    ranges: list[tuple[tuple[bytes, ...], int | None, tuple[bytes, ...], int | None, str]],
) -> None:
    text = written(ranges)
    ours, theirs = parse_manifest(text), duplicity_manifest.Manifest().from_string(text)
    assert (ours.hostname, ours.source) == (theirs.hostname, theirs.local_dirname)
    assert list(ours.volumes) == sorted(theirs.volume_info_dict)
    for number, volume in ours.volumes.items():
        known = theirs.volume_info_dict[number]
        assert (volume.first, volume.last) == (known.start_index, known.end_index)
        assert (volume.first_block, volume.last_block) == (known.start_block, known.end_block)
        assert dict(volume.hashes) == known.hashes


@given(volumes, indexes)
def test_it_finds_the_volumes_of_a_path_as_duplicity_does(
    ranges: list[tuple[tuple[bytes, ...], int | None, tuple[bytes, ...], int | None, str]],
    path: tuple[bytes, ...],
) -> None:
    text = written(ranges)
    theirs = duplicity_manifest.Manifest().from_string(text)
    for number, volume in parse_manifest(text).volumes.items():
        assert volume.may_hold(path) == theirs.volume_info_dict[number].contains(path, recursive=False)


@given(st.binary(max_size=30))
def test_a_quoted_name_comes_back(name: bytes) -> None:
    assert unquote(duplicity_manifest.Quote(name)) == name


def test_volumes_listed_again_after_a_resume_replace_those_before() -> None:
    ranges = [
        ((b"a",), None, (b"b",), None, "1"),
        ((b"b",), None, (b"c",), None, "2"),
        ((b"c",), None, (b"d",), None, "3"),
    ]
    text = written(ranges) + b"Volume 2:\n    StartingPath   b  \n    EndingPath     z  \n    Hash SHA1 4\n"
    ours, theirs = parse_manifest(text), duplicity_manifest.Manifest().from_string(text)
    assert list(ours.volumes) == sorted(theirs.volume_info_dict) == [1, 2]
    assert ours.volumes[2].last == (b"z",)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"Hostname laptop",
        b"\0" * 300,
        b"Volume 2:\n    StartingPath a\n    EndingPath b\n",
        b"Volume 1:\n    StartingPath a\n",
    ],
)
def test_what_is_no_whole_manifest_is_refused(damage: bytes) -> None:
    with pytest.raises(ManifestUnreadable):
        parse_manifest(damage)


@given(volumes, st.data())
def test_bytes_changed_anywhere_give_a_manifest_or_that_one_refusal(
    ranges: list[tuple[tuple[bytes, ...], int | None, tuple[bytes, ...], int | None, str]],
    data: st.DataObject,
) -> None:
    text = bytearray(written(ranges))
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(text)))
    for damaged in (bytes(text), bytes(text[:cut])):
        with contextlib.suppress(ManifestUnreadable):
            parse_manifest(damaged)

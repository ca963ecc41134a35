"""The parser knows every name that duplicity writes as panicroom runs it, and nothing else."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from duplicity import config, dup_time, file_naming
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.names import (
    BackupFile,
    FileKind,
    SetId,
    is_identifier,
    parse_file_name,
    split_key,
)

TIMES = st.datetimes(datetime(1901, 1, 1), datetime(2099, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=timezone.utc)
)
SETS = st.one_of(st.builds(SetId, st.none(), TIMES), st.builds(SetId, TIMES, TIMES))
SUFFIXES = st.sampled_from(["", ".gpg", ".p7m", ".gz"])
FILES = st.builds(
    BackupFile,
    SETS,
    st.sampled_from(FileKind),
    prefix=st.sampled_from(["", "data_", "meta_"]),
    suffix=SUFFIXES,
).flatmap(
    lambda file: st.integers(1, 99_999_999).map(
        lambda number: BackupFile(
            file.set_id,
            file.kind,
            number if file.kind is FileKind.VOLUME else None,
            file.prefix,
            ".gpg" if file.kind is FileKind.MANIFEST and file.suffix == ".gz" else file.suffix,
        )
    )
)


@given(FILES)
def test_every_file_is_read_back_from_its_name(file: BackupFile) -> None:
    assert parse_file_name(file.name) == file


def _as_duplicity_reads(name: str) -> tuple[str, object] | None:
    """What ``duplicity.file_naming`` makes of a name, with the prefixes that panicroom sets."""
    for part in ("archive", "manifest", "signature", "jsonstat"):
        prefix = b"data_" if part == "archive" else b"meta_"
        setattr(config, f"file_prefix_{part}", prefix)
    config.file_prefix = b""
    dup_time.setcurtime(0)
    parsed = file_naming.parse(name.encode())
    if parsed is None:
        return None
    kind = "manifest" if parsed.manifest else parsed.type
    return kind, parsed.volume_number


NAMES = {
    FileKind.VOLUME: {True: "full", False: "inc"},
    FileKind.MANIFEST: {True: "manifest", False: "manifest"},
    FileKind.SIGNATURES: {True: "full-sig", False: "new-sig"},
    FileKind.JSONSTAT: {True: "full-stat", False: "inc-stat"},
}


@settings(max_examples=1000)
@given(FILES.filter(lambda file: file.is_under_right_prefix))
def test_duplicity_reads_the_same_in_every_name_the_parser_takes(file: BackupFile) -> None:
    if file.set_id.end.year < 1971 or (file.set_id.start or file.set_id.end).year < 1971:
        return  # duplicity takes the epoch itself for "no time"
    assert _as_duplicity_reads(file.name) == (NAMES[file.kind][file.set_id.is_full], file.volume)


@settings(max_examples=1000)
@given(FILES, st.data())
def test_a_name_with_one_character_changed_is_refused_or_is_another_real_name(
    file: BackupFile, data: st.DataObject
) -> None:
    name = file.name
    place = data.draw(st.integers(0, len(name) - 1))
    broken = name[:place] + data.draw(st.characters()) + name[place + 1 :]
    parsed = parse_file_name(broken)
    assert parsed is None or parsed.name == broken


@given(st.text())
def test_any_text_at_all_is_a_stray_never_an_exception(text: str) -> None:
    parsed = parse_file_name(text)
    assert parsed is None or parsed.name == text
    split_key(text)


@pytest.mark.parametrize(
    "name",
    [
        "data_duplicity-full.20261122T205000Z.vol1.difftar.part",
        "data_duplicity-full.20261122T205000Z.vol1.difftar.gpg.part",
        "meta_duplicity-full.20261122T205000Z.manifest.gz",
        "meta_duplicity-full.20261122T205000Z.manifest.part",
        "data_duplicity-full.2026-11-22T20:50:00Z.vol1.difftar.gpg",
        "data_duplicity-full.20261122T205000Z.vol01.difftar.gpg",
        "data_duplicity-full.20261122T205000Z.vol0.difftar.gpg",
        "data_duplicity-full.20261322T205000Z.vol1.difftar.gpg",
        "data_duplicity-full.20261122T205000Z.vol1.difftar.gpg\n",
        "data_duplicity-full.20261122T205000Z.vol1.difftar.gpg.gpg",
        "_data_duplicity-full.20261122T205000Z.vol1.difftar.gpg",
        "data_meta_duplicity-full.20261122T205000Z.vol1.difftar.gpg",
        "data_duplicity-full-signatures.20261122T205000Z.to.20261123T205000Z.sigtar.gpg",
        "",
    ],
)
def test_what_duplicity_never_leaves_in_a_bucket_is_a_stray(name: str) -> None:
    assert parse_file_name(name) is None


def test_a_volume_under_the_metadata_prefix_is_known_and_misplaced() -> None:
    file = parse_file_name("meta_duplicity-full.20261122T205000Z.vol7.difftar.gpg")
    assert file is not None
    assert (file.kind, file.volume, file.is_under_right_prefix) == (FileKind.VOLUME, 7, False)


@given(SETS)
def test_a_set_is_read_back_from_its_text(set_id: SetId) -> None:
    assert SetId.parse(str(set_id)) == set_id


@pytest.mark.parametrize("text", ["", "full", "full.x", "inc.20261122T205000Z", "full.20261122T205000Z.to.x"])
def test_other_texts_name_no_set(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        SetId.parse(text)


@pytest.mark.parametrize("name", ["anna-laptop", "a", "0", "a" * 41])
def test_identifiers(name: str) -> None:
    assert is_identifier(name)


@pytest.mark.parametrize(
    "name", ["", "-a", "A", "a" * 42, "a/b", "..", "a.b", "a_b", "ä", "а", "a\n", "_service", "a b"]
)
def test_no_identifiers(name: str) -> None:
    assert not is_identifier(name)


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("anna/system/file", ("anna", "system", "file")),
        ("anna/system/", None),
        ("anna/system/a/b", None),
        ("/anna/system/file", None),
        ("anna//file", None),
        ("_service/x/y", None),
        ("file", None),
    ],
)
def test_keys_have_a_machine_a_job_and_a_name(key: str, parts: tuple[str, str, str] | None) -> None:
    assert split_key(key) == parts

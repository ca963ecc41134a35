"""The parser knows every name that duplicity writes as panicroom runs it, and nothing else."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from duplicity import config, dup_time, file_naming
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.backups.foreign_names import NameForm, form_of
from chalicelib.domain.backups.names import (
    BackupFile,
    FileKind,
    SetId,
    is_identifier,
    parse_file_name,
    split_key,
)

NOW = 1_795_381_800

TIMES = (
    st.datetimes(datetime(1901, 1, 1), datetime(2099, 12, 31))
    .map(lambda moment: moment.replace(microsecond=0, tzinfo=timezone.utc))
    .filter(lambda moment: moment.timestamp() != 0)
)
"""All that duplicity writes: the epoch itself is "no time" to it."""
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


def _duplicity_writes(name: str) -> bool:
    """Whether duplicity reads ``name`` and, asked to name the same thing itself, writes exactly ``name``.

    Its reader alone is no oracle: it takes ``vol01``, ``.difftar.anything`` and times such as ``1D``.
    """
    config.file_prefix = b""
    config.file_prefix_archive = b"data_"
    config.file_prefix_manifest = config.file_prefix_signature = config.file_prefix_jsonstat = b"meta_"
    dup_time.setcurtime(NOW)
    try:
        parsed = file_naming.parse(name.encode())
    except (
        AttributeError,
        AssertionError,
        OverflowError,
        ValueError,
    ):  # its reader fails on some wrong names
        return False
    if parsed is None or parsed.partial:
        return False
    end = parsed.time or parsed.end_time
    if not isinstance(end, int):
        return False
    dup_time.curtimestr = dup_time.timetostring(end)
    dup_time.prevtimestr = dup_time.timetostring(parsed.start_time or NOW)
    written = set()
    for config.use_gpgsm in (False, True):
        for how in ({"encrypted": True}, {"gzipped": not parsed.manifest}):
            thing = {"volume_number": parsed.volume_number, "manifest": bool(parsed.manifest)}
            written.add(file_naming.get(parsed.type, **thing, **how).decode())
        written.add(file_naming.get(parsed.type, **thing).decode())
    return name in written


def _names(chance: random.Random) -> Iterator[str]:
    """Right names, and names that are wrong by a little."""

    def time() -> str:
        day = datetime(1971, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=chance.randrange(4_000_000_000))
        return day.strftime("%Y%m%dT%H%M%SZ")

    while True:
        times = chance.choice([f"full.{time()}", f"inc.{time()}.to.{time()}"])
        signatures = times.replace("full.", "full-signatures.").replace("inc.", "new-signatures.")
        volume = f"data_duplicity-{times}.vol{chance.randrange(1, 10 ** chance.randrange(1, 6))}.difftar"
        metadata = [f"{times}.manifest", f"{times}.jsonstat", f"{signatures}.sigtar"]
        name = chance.choice([volume, "meta_duplicity-" + chance.choice(metadata)])
        name += chance.choice(["", ".gpg", ".gpg", ".p7m", ".gz", ".part", ".part.gpg", ".xz", "."])
        yield name
        place = chance.randrange(len(name))
        edit = chance.choice(["", name[place] * 2, chance.choice("0189TZ.data_meta-volgp\n é")])
        yield name[:place] + edit + name[place + 1 :]


def test_the_parser_takes_exactly_the_names_that_duplicity_writes() -> None:
    chance = random.Random(20261122)
    taken = refused = 0
    for name in itertools.islice(_names(chance), 24_000):
        file = parse_file_name(name)
        ours = file is not None and file.is_under_right_prefix
        assert ours == _duplicity_writes(name), name
        taken += ours
        refused += not ours
    assert taken > 5_000
    assert refused > 5_000


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


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("data_duplicity-full.20261101T040000Z.vol1.difftar.gpg", NameForm.PREFIXED),
        ("meta_duplicity-inc.20261101T040000Z.to.20261102T040000Z.manifest.gpg", NameForm.PREFIXED),
        ("duplicity-full.20261101T040000Z.vol1.difftar.gpg", NameForm.WITHOUT_PREFIXES),
        (
            "duplicity-new-signatures.20261101T040000Z.to.20261102T040000Z.sigtar.gz",
            NameForm.WITHOUT_PREFIXES,
        ),
        ("meta_duplicity-full.20261101T040000Z.vol1.difftar.gpg", NameForm.OTHER_PREFIXES),
        ("homeduplicity-full.20261101T040000Z.manifest.gpg", NameForm.OTHER_PREFIXES),
        ("data_duplicity-full.20120301T040000Z.vol1.difftar.z", NameForm.NOT_ENCRYPTED),
        ("duplicity-full.2012-03-01T04:00:00Z.vol1.difftar.gpg", NameForm.OLD_TIMES),
        ("duplicity-full.2012-03-01T04_00_00Z.manifest.gpg", NameForm.OLD_TIMES),
        ("duplicity-full-signatures.2012-03-01T04:00:00+02:00.sigtar.gpg", NameForm.OLD_TIMES),
        ("df.l8ph0.1.dt.g", NameForm.SHORT),
        ("dst.l8ph0.g", NameForm.SHORT),
        ("data_di.l8ph0.l8pi0.2.dt.gpg", NameForm.SHORT),
        ("duplicity-full.20261101T040000Z.vol1.difftar.gpg.bak", NameForm.WITHOUT_PREFIXES),
        ("duplicity-full.20261101T040000Z.vol1", NameForm.UNKNOWN),
        ("holiday.jpg", None),
        ("df.txt.backup.2026.old", None),
        ("notes.txt", None),
    ],
)
def test_every_form_of_duplicitys_names_is_recognised(name: str, form: NameForm | None) -> None:
    assert form_of(f"somewhere/{name}") is form
    assert form_of(name) is form

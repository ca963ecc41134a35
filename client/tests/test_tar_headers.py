"""The quick headers are those that tarfile writes, byte for byte."""

from __future__ import annotations

import os
import tarfile

from hypothesis import example, given
from hypothesis import strategies as st
from panicroom.duplicity_run.speed.tar_headers import Owner, file_header

NAMES = st.one_of(
    st.binary(min_size=1, max_size=300).filter(lambda name: b"\0" not in name and not name.startswith(b"/")),
    st.text("ab/é日", min_size=1, max_size=150)
    .filter(lambda name: not name.startswith("/"))
    .map(os.fsencode),
    st.integers(80, 120).map(lambda size: b"n" * size),
)
OWNERS = st.builds(
    Owner,
    st.integers(0, 0o7777),
    st.integers(0, 2**22),
    st.integers(0, 2**22),
    st.text("abü", max_size=40),
    st.text("abü", max_size=40),
)


@given(NAMES, st.integers(0, 2**34), st.integers(-5, 2**34), OWNERS)
@example(b"snapshot/x", 0, 0, Owner(0o644, 0, 0, "root", "root"))
@example(b"n" * 101, 8**11 - 1, 8**11 - 1, Owner(0o4755, 8**7 - 1, 8**7 - 1, "u" * 32, ""))
def test_a_header_is_tarfiles_or_left_to_it(name: bytes, size: int, mtime: int, owner: Owner) -> None:
    made = file_header(name, size, mtime, owner)
    if made is None:
        return
    entry = tarfile.TarInfo(os.fsdecode(name))
    entry.size, entry.mtime, entry.mode = size, mtime, owner.mode
    entry.uid, entry.gid, entry.uname, entry.gname = owner.uid, owner.gid, owner.user, owner.group
    assert made == entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


@given(st.text("abcdefgh/", min_size=1, max_size=90), st.integers(0, 2**32), st.integers(0, 2**32))
def test_ordinary_files_are_not_left_to_it(name: str, size: int, mtime: int) -> None:
    assert file_header(name.encode(), size, mtime, Owner(0o644, 1000, 1000, "anna", "users")) is not None

"""An archive made by somebody with the public key and the token: whatever is in it, nothing is written elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from duplicity import diffdir, librsync
from laptop import Laptop
from panicroom.exit_codes import ExitCode

TIME, TIME_BEFORE = "20261101T000000Z", "20261031T000000Z"


def signature(content: bytes) -> bytes:
    generator = librsync.SigGenerator(diffdir.get_block_size(len(content)))
    generator.update(content)
    return bytes(generator.getsig())


class HostileSet:
    """A full set written by hand, not encrypted, so that anything can be in it."""

    def __init__(self, time: str = TIME) -> None:
        self._time = time
        self._volume, self._signatures = io.BytesIO(), io.BytesIO()
        self._volumes = tarfile.TarFile(fileobj=self._volume, mode="w")
        self._sigtar = tarfile.TarFile(fileobj=self._signatures, mode="w")
        self.other("", tarfile.DIRTYPE)

    def file(self, path: str, content: bytes, form: str = "snapshot") -> None:
        for tar, prefix, data in (
            (self._volumes, form, content),
            (self._sigtar, "signature", signature(content)),
        ):
            info = tarfile.TarInfo(f"{prefix}/{path}")
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))

    def other(self, path: str, kind: bytes, target: str = "") -> None:
        for tar in (self._volumes, self._sigtar):
            info = tarfile.TarInfo(f"snapshot/{path}")
            info.type, info.linkname, info.mode = kind, target, 0o755
            tar.addfile(info)

    def store(self, laptop: Laptop) -> None:
        self._volumes.close()
        self._sigtar.close()
        volume = gzip.compress(self._volume.getvalue())
        manifest = (
            "Hostname h\nLocaldir /\nVolume 1:\n    StartingPath   .\n    EndingPath     zzzz\n"
            f"    Hash SHA1 {hashlib.sha1(volume).hexdigest()}\n"
        )
        for name, data in {
            f"data_duplicity-full.{self._time}.vol1.difftar.gz": volume,
            f"meta_duplicity-full.{self._time}.manifest": manifest.encode(),
            f"meta_duplicity-full-signatures.{self._time}.sigtar.gz": gzip.compress(
                self._signatures.getvalue()
            ),
        }.items():
            laptop.service.store(name, data)


@pytest.fixture
def outside(laptop: Laptop) -> Path:
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    folder = laptop.home / "outside"
    folder.mkdir()
    return folder


def test_files_through_links_dots_and_absolute_names_are_named_and_not_written(
    laptop: Laptop, outside: Path
) -> None:
    hostile = HostileSet()
    hostile.other("away", tarfile.SYMTYPE, str(outside))
    hostile.file("away/authorized_keys", b"through a link")
    hostile.file("good", b"good")
    hostile.store(laptop)
    out = laptop.home / "out"
    ended = laptop.run("restore", "--to", str(out), "--json")
    assert ended.returncode == ExitCode.RESTORE_INCOMPLETE, ended.stderr
    named = {item["path"] for item in json.loads(ended.stdout.splitlines()[-1])["differing"]}
    assert named == {"away/authorized_keys"}
    assert (out / "good").read_bytes() == b"good"
    assert (out / "away").readlink() == outside
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["../outside/evil", "x/../../outside/evil", "/outside/evil"])
def test_names_that_lead_out(laptop: Laptop, outside: Path, name: str) -> None:
    hostile = HostileSet()
    if name.startswith("/"):
        name = f"{outside}/evil"
    hostile.file(name, b"evil")
    hostile.file("good", b"good")
    hostile.store(laptop)
    out = laptop.home / "out"
    ended = laptop.run("restore", "--to", str(out))
    assert list(outside.iterdir()) == []
    if ended.returncode == 0:  # an absolute name is one below the target
        assert (out / str(outside).lstrip("/") / "evil").read_bytes() == b"evil"
    else:
        assert ended.returncode == ExitCode.RESTORE_INCOMPLETE, ended.stderr
        assert "evil" in ended.stderr


def test_a_volume_that_says_other_than_the_signatures_is_not_believed(laptop: Laptop, outside: Path) -> None:
    """The signatures hold a plain file; the volume a link of that name, and the file behind it."""
    hostile = HostileSet()
    hostile.file("away", b"plain")
    info = tarfile.TarInfo("snapshot/away")
    info.type, info.linkname = tarfile.SYMTYPE, str(outside)
    hostile._volumes.addfile(info)
    data = tarfile.TarInfo("snapshot/away/evil")
    data.size = 4
    hostile._volumes.addfile(data, io.BytesIO(b"evil"))
    hostile.store(laptop)
    ended = laptop.run("restore", "--to", str(laptop.home / "out"))
    assert list(outside.iterdir()) == []
    out = laptop.home / "out" / "away"
    assert ended.returncode == ExitCode.RESTORE_INCOMPLETE or out.read_bytes() == b"plain"
    assert not out.is_symlink()


def test_a_file_that_duplicity_cannot_put_together_is_had_from_the_chain_before(
    laptop: Laptop, outside: Path
) -> None:
    """A difference without the file that it belongs to: duplicity warns and goes on."""
    before, newest = HostileSet(TIME_BEFORE), HostileSet()
    before.file("letter", b"as it was")
    newest.file("letter", b"no difference to anything", form="diff")
    newest.file("other", b"other")
    before.store(laptop)
    newest.store(laptop)
    out = laptop.home / "out"
    ended = laptop.run("restore", "--to", str(out), "--json", "--nearest")
    assert ended.returncode == ExitCode.RESTORE_INCOMPLETE, ended.stderr
    (named,) = json.loads(ended.stdout.splitlines()[-1])["differing"]
    assert (named["path"], named["newest"], named["restored"]) == ("letter", TIME_BEFORE, True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        "letter": b"as it was",
        "other": b"other",
    }

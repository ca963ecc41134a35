"""A chain of many small sets, as duplicity would have written it day by day, made in seconds.

Each set is built from duplicity's formats directly: a tar of differences, a tar of signatures and a manifest, each
encrypted by gpg. One file changes in each increment, in turn; duplicity and the client read the chain as any other.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from duplicity import diffdir, librsync

FILES = 120
_FILE_BYTES = 8_000
_CHANGED_BYTES = 200


@dataclass(frozen=True)
class GeneratedFile:
    """A stored file: duplicity's name with the client's prefixes, and its encrypted bytes."""

    name: str
    data: bytes


def generate_chain(
    source: Path, increments: int, newest: datetime, environment: dict[str, str], passphrase: str
) -> Iterator[GeneratedFile]:
    """The files of a full set and ``increments`` on it, a day apart, the last of them at ``newest``.

    ``source`` is filled with the tree as of the last set.
    """
    chance = random.Random(1)
    begin = newest - timedelta(days=increments)
    contents = {f"file-{number:03}": chance.randbytes(_FILE_BYTES) for number in range(FILES)}
    times = dict.fromkeys(contents, int(begin.timestamp()))
    sets = [_made_set(f"full.{_stamp(begin)}", begin, contents, {})]
    for day in range(1, increments + 1):
        name = f"file-{day % FILES:03}"
        before, at = contents[name], begin + timedelta(days=day)
        contents[name] = before[:-_CHANGED_BYTES] + chance.randbytes(_CHANGED_BYTES)
        times[name] = int(at.timestamp())
        set_name = f"inc.{_stamp(at - timedelta(days=1))}.to.{_stamp(at)}"
        sets.append(_made_set(set_name, at, {name: contents[name]}, {name: before}))
    for name, data in contents.items():
        (source / name).write_bytes(data)
        os.utime(source / name, (times[name], times[name]))
    os.utime(source, (begin.timestamp(), begin.timestamp()))
    with ThreadPoolExecutor(4) as pool:
        for made in pool.map(lambda parts: _encrypted(parts, environment, passphrase), sets):
            yield from made


@dataclass(frozen=True)
class _SetParts:
    name: str
    volume: bytes
    signatures: bytes
    first: str
    last: str


def _made_set(name: str, at: datetime, files: dict[str, bytes], before: dict[str, bytes]) -> _SetParts:
    volume, signatures = io.BytesIO(), io.BytesIO()
    with (
        tarfile.open(fileobj=volume, mode="w") as deltas,
        tarfile.open(fileobj=signatures, mode="w") as signed,
    ):
        if not before:
            for tar in (deltas, signed):
                tar.addfile(_entry("snapshot/", at, tarfile.DIRTYPE, 0o755))
        for path, data in sorted(files.items()):
            known = before.get(path)
            kind, body = ("snapshot", data) if known is None else ("diff", _delta(known, data))
            _add(deltas, f"{kind}/{path}", at, body)
            _add(signed, f"signature/{path}", at, _signature(data))
    first, last = min(files), max(files)
    return _SetParts(name, volume.getvalue(), signatures.getvalue(), first if before else ".", last)


def _encrypted(parts: _SetParts, environment: dict[str, str], passphrase: str) -> list[GeneratedFile]:
    volume = _gpg(parts.volume, environment, passphrase)
    digest = hashlib.sha1(volume).hexdigest()  # duplicity's own choice
    manifest = (
        f"Hostname laptop\nLocaldir /source\nFilelist 0\nVolume 1:\n    StartingPath   {parts.first}  \n"
        f"    EndingPath     {parts.last}  \n    Hash SHA1 {digest}\n"
    )
    kind, _, times = parts.name.partition(".")
    word = {"full": "full", "inc": "new"}[kind]
    return [
        GeneratedFile(f"data_duplicity-{parts.name}.vol1.difftar.gpg", volume),
        GeneratedFile(
            f"meta_duplicity-{word}-signatures.{times}.sigtar.gpg",
            _gpg(parts.signatures, environment, passphrase),
        ),
        GeneratedFile(
            f"meta_duplicity-{parts.name}.manifest.gpg", _gpg(manifest.encode(), environment, passphrase)
        ),
    ]


def _gpg(data: bytes, environment: dict[str, str], passphrase: str) -> bytes:
    # The passphrase comes in a file of its own: standard input has the data.
    reading, writing = os.pipe()
    os.write(writing, passphrase.encode() + b"\n")
    os.close(writing)
    try:
        return subprocess.run(
            [
                "gpg",
                "--batch",
                "--quiet",
                "--pinentry-mode",
                "loopback",
                "--passphrase-fd",
                str(reading),
                "--symmetric",
            ],
            input=data,
            stdout=subprocess.PIPE,
            pass_fds=[reading],
            env={**os.environ, **environment},
            check=True,
        ).stdout
    finally:
        os.close(reading)


def _entry(name: str, at: datetime, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, int(at.timestamp())
    return entry


def _add(tar: tarfile.TarFile, name: str, at: datetime, data: bytes) -> None:
    entry = _entry(name, at, tarfile.REGTYPE, 0o644)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _signature(data: bytes) -> bytes:
    generator = librsync.SigGenerator(diffdir.get_block_size(len(data)))
    generator.update(data)
    signature: bytes = generator.getsig()
    return signature


def _delta(before: bytes, after: bytes) -> bytes:
    delta: bytes = librsync.DeltaFile(io.BytesIO(_signature(before)), io.BytesIO(after)).read()
    return delta


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}"

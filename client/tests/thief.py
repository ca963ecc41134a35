"""Somebody with a machine's token, and nothing else: asks the service for whatever it may, and stores what it likes."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timezone

import httpx
from panicroom.api import Api
from panicroom.names import parse_name
from panicroom.wire import RunStart, RunUpdate, SetMember, UploadFile, UploadPermit, UploadRequest, new_run_id


def text_of(time: datetime) -> str:
    """As in the names of sets."""
    return time.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def name_of(kind: str, set_name: str, volume: int = 1) -> str:
    """The name of a set's volume, signatures or manifest."""
    if kind == "volume":
        return f"data_duplicity-{set_name}.vol{volume}.difftar.gpg"
    if kind == "manifest":
        return f"meta_duplicity-{set_name}.manifest.gpg"
    word, _, times = set_name.partition(".")
    return f"meta_duplicity-{'full' if word == 'full' else 'new'}-signatures.{times}.sigtar.gpg"


class Thief:
    """Works against the real service and against the fake one."""

    def __init__(self, url: str, token: str, job: str = "system") -> None:
        self._api, self._job = Api(url, token), job

    def close(self) -> None:
        self._api.close()

    def __enter__(self) -> Thief:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def stored_set(self, set_name: str) -> tuple[list[bytes], bytes, bytes]:
        """The ciphertext of a set: volumes, signatures, manifest."""
        found: dict[str, dict[int, str]] = {"volume": {}, "signatures": {}, "manifest": {}}
        for file in self._api.files(self._job):
            parsed = parse_name(file.name)
            if parsed is not None and parsed.set == set_name and parsed.kind in found:
                found[parsed.kind][parsed.volume or 0] = file.name
        volumes = [self._fetch(name) for _, name in sorted(found["volume"].items())]
        return volumes, self._fetch(found["signatures"][0]), self._fetch(found["manifest"][0])

    def _fetch(self, name: str) -> bytes:
        (permit,) = self._api.downloads(self._job, (name,)).files
        assert permit.url is not None, permit
        return httpx.get(permit.url).raise_for_status().content

    def seal(
        self, set_name: str, volumes: list[bytes], signatures: bytes, manifest: bytes, proof: str | None
    ) -> UploadPermit:
        """Stores a whole set; the service's answer to the manifest, which is stored if there is a URL."""
        now = datetime.now(timezone.utc)
        asked = RunStart(
            "full", now.strftime("%Y-%m-%dT%H:%M:%SZ"), run=new_run_id(now, secrets.token_bytes(8))
        )
        run = self._api.start_run(self._job, asked).run
        try:
            members = [
                self._store(run, name_of("volume", set_name, number), content)
                for number, content in enumerate(volumes, 1)
            ]
            members.append(self._store(run, name_of("signatures", set_name), signatures))
            file = _upload(name_of("manifest", set_name), manifest)
            wanted = UploadFile(file.name, file.size, file.sha256, tuple(members), proof)
            (permit,) = self._api.uploads(self._job, UploadRequest(run, (wanted,))).files
            if permit.url is not None:
                _put(permit, manifest)
            return permit
        finally:
            self._api.update_run(self._job, run, RunUpdate(exit_code=0))

    def _store(self, run: str, name: str, content: bytes) -> SetMember:
        (permit,) = self._api.uploads(self._job, UploadRequest(run, (_upload(name, content),))).files
        if permit.present:  # from another try of his within the same second
            return SetMember(name, len(content), str(permit.etag))
        assert permit.url is not None, permit
        return SetMember(name, len(content), _put(permit, content))


def _upload(name: str, content: bytes) -> UploadFile:
    return UploadFile(name, len(content), hashlib.sha256(content).hexdigest())


def _put(permit: UploadPermit, content: bytes) -> str:
    assert permit.url is not None
    answer = httpx.put(permit.url, headers=permit.headers, content=content).raise_for_status()
    return str(answer.headers["ETag"]).strip('"')

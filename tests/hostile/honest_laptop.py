"""An honest client, one step at a time, so that others can come between any two of them.

It does what the real client and duplicity do: volumes, signatures, manifest, statistics; a journal of what S3
confirmed; after a kill it takes its own lease over, keeps the volumes that are stored as it knows them, and makes the
last one of them anew, with other bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.hostile import behind_gateway
from tests.hostile.presigned_s3 import OK, PresignedS3, Upload, digest_of
from tests.service.conftest import Answer


def name_of(set_id: str, part: int | str) -> str:
    """The name of a set's volume, by its number, or of its ``signatures``, ``manifest`` or ``jsonstat``."""
    if isinstance(part, int):
        return f"data_duplicity-{set_id}.vol{part}.difftar.gpg"
    if part == "signatures":
        kind, _, times = set_id.partition(".")
        return f"meta_duplicity-{'full' if kind == 'full' else 'new'}-signatures.{times}.sigtar.gpg"
    return f"meta_duplicity-{set_id}.{part}.gpg"


@dataclass
class UnfinishedSet:
    """On the laptop's disk: what is being made, and what S3 has confirmed of it."""

    set_id: str
    volumes: int
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    attempt: int = 1

    def content(self, name: str) -> bytes:
        """Made once per attempt: gpg never encrypts the same way twice."""
        return self.contents.setdefault(name, f"honest {name} {self.attempt}".encode())

    def parts(self) -> list[int | str]:
        return [*range(1, self.volumes + 1), "signatures", "manifest", "jsonstat"]

    def next_part(self) -> int | str | None:
        return next((part for part in self.parts() if name_of(self.set_id, part) not in self.stored), None)

    def make_again(self, names: set[str]) -> None:
        self.attempt += 1
        for name in names:
            self.stored.pop(name, None)
            self.contents.pop(name, None)


@dataclass
class HonestLaptop:
    s3: PresignedS3
    token: str
    known_run: str | None = None
    """On disk."""
    unfinished: UnfinishedSet | None = None
    finished: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """The sets that it knows to be sealed, with their files."""
    refusals: list[str] = field(default_factory=list)
    run: str | None = None
    upload: Upload | None = None
    """In memory: a permission that was not used yet."""
    newest: str | None = None
    """The end of the chain, as a time of duplicity's."""

    @property
    def idle(self) -> bool:
        return self.run is None and self.unfinished is None

    def begin(self, kind: str, volumes: int) -> None:
        """Decides on a new set; the next step asks for the lease."""
        self.s3.service.now += timedelta(seconds=1)
        end = f"{self.s3.service.now:%Y%m%dT%H%M%SZ}"
        incremental = kind == "incremental" and self.newest is not None
        self.unfinished = UnfinishedSet(
            f"inc.{self.newest}.to.{end}" if incremental else f"full.{end}", volumes
        )

    def crash(self) -> Upload | None:
        """SIGKILL. A permission that was under way may still be used by a worker that was left behind."""
        left, self.upload, self.run = self.upload, None, None
        return left

    def step(self) -> None:
        """One call, of the service or of S3."""
        if self.unfinished is None:
            return
        if self.run is None:
            self._start()
        elif self.upload is not None:
            self._put(self.unfinished, self.upload)
        elif (part := self.unfinished.next_part()) is None:
            self._end()
        else:
            self._ask(self.unfinished, part)

    def _start(self) -> None:
        clock = f"{self.s3.service.now:%Y-%m-%dT%H:%M:%SZ}"
        body = {"kind": "full", "clock": clock, "resumes": self.known_run}
        answer = self._call("POST", "/jobs/system/runs", body)
        if answer.status == 201:
            resumed = self.known_run is not None
            self.run = self.known_run = answer.body["run"]
            if resumed:
                self._resume()

    def _resume(self) -> None:
        """Volumes that are stored as the journal says, up to the first that is not, less one."""
        assert self.unfinished is not None
        listing = self._call("GET", "/jobs/system/files").body["files"]
        etags = {file["name"]: file["etag"] for file in listing}
        good = 0
        for number in range(1, self.unfinished.volumes + 1):
            name = name_of(self.unfinished.set_id, number)
            if name not in self.unfinished.stored or etags.get(name) != self.unfinished.stored[name]["etag"]:
                break
            good = number
        if name_of(self.unfinished.set_id, "manifest") in self.unfinished.stored:
            return
        kept = {name_of(self.unfinished.set_id, number) for number in range(1, good)}
        self.unfinished.make_again(set(self.unfinished.stored) - kept)

    def _ask(self, unfinished: UnfinishedSet, part: int | str) -> None:
        name = name_of(unfinished.set_id, part)
        content = unfinished.content(name)
        file: dict[str, Any] = {"name": name, **digest_of(content)}
        if part == "manifest":
            file["set"] = list(unfinished.stored.values())
        answer = self._call("POST", "/jobs/system/uploads", {"run": self.run, "files": [file]})
        if answer.status != 200:
            self.run = None
            return
        [permit] = answer.body["files"]
        if "url" in permit:
            self.s3.permitted(name, permit["url"])
            self.upload = Upload(name, permit["url"], permit["headers"], content)
        elif permit.get("present"):
            self._confirm(unfinished, name, content, permit["etag"])
        else:
            self._refused(unfinished, part, permit)

    def _refused(self, unfinished: UnfinishedSet, part: int | str, permit: dict[str, Any]) -> None:
        self.refusals.append(permit["error"])
        if permit["error"] == "set_sealing":
            return  # and ask again
        if permit["error"] == "set_incomplete":
            unfinished.make_again(set(permit["names"]))
        elif part == "jsonstat":
            unfinished.stored[permit["name"]] = {}  # a report only; the set is whole without it
        else:
            self._give_up()

    def _put(self, unfinished: UnfinishedSet, upload: Upload) -> None:
        self.upload = None
        answer = self.s3.put(upload)
        if answer.status == OK:
            self._confirm(unfinished, upload.name, upload.content, answer.etag)

    def _confirm(self, unfinished: UnfinishedSet, name: str, content: bytes, etag: str) -> None:
        unfinished.stored[name] = {"name": name, "size": len(content), "etag": etag}
        if name == name_of(unfinished.set_id, "manifest"):
            files = {one: unfinished.content(one) for one in unfinished.stored}
            self.finished[unfinished.set_id] = files
            self.newest = unfinished.set_id[-16:]

    def _end(self) -> None:
        self._call("PATCH", f"/jobs/system/runs/{self.run}", {"exit_code": 0})
        self._give_up()

    def _give_up(self) -> None:
        self.run = self.unfinished = self.upload = None

    def _call(self, method: str, path: str, body: object = None) -> Answer:
        answer = behind_gateway.call(method, path, body, self.token)
        if answer.status >= 400:
            self.refusals.append(str(answer.error))
        return answer


def time_of(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"

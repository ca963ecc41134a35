"""A stand-in for the service and for S3, in memory, with the rules that matter to a client.

API under ``/api``, presigned URLs under ``/s3``. S3's part checks exactly what a presigned PUT of the real
service signs: length, SHA-256, first write (412). Tests can look at everything, hold a PUT in mid-air
(``on_put``) and make calls fail (``trouble``).
"""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fake_drills import FakeDrills
from fake_families import PERIOD_SECONDS, FakeFamilies
from fake_thaws import FakeThaws
from panicroom import __version__
from panicroom.names import parse_name, sealed_sets

_CHUNK_BYTES = 16 * 1024
_WRITING = (["runs"], ["uploads"], ["multiparts"], ["discards"])
CODE = "one-time-code"
MACHINE = "laptop"


def now_text(offset_seconds: float = 0) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=offset_seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Stored:
    data: bytes
    etag: str
    stored_at: str
    parts: list[str] | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    """``volumes`` and ``proof`` of a manifest."""

    @property
    def checksum(self) -> str:
        """As S3's header has it."""
        digest, hyphen, parts = self.sha256.partition("-")
        return base64.b64encode(bytes.fromhex(digest)).decode() + hyphen + parts

    @property
    def sha256(self) -> str:
        """As S3 has it: of a file in parts the digest of the parts' digests."""
        if self.parts is None:
            return hashlib.sha256(self.data).hexdigest()
        digests = b"".join(map(bytes.fromhex, self.parts))
        return f"{hashlib.sha256(digests).hexdigest()}-{len(self.parts)}"


def _left_to_headers(permit: dict[str, Any]) -> dict[str, Any]:
    """What S3 will say in its answer to the GET."""
    if not permit.get("url"):
        return permit
    left = {name: value for name, value in permit.items() if name not in ("sha256", "volumes", "proof")}
    return {**left, "headers": {"x-amz-checksum-mode": "ENABLED"}}


@dataclass
class FakeService:
    """State and rules. Keys are ``<job>/<name>``."""

    jobs: tuple[str, ...] = ("system",)
    families: FakeFamilies = field(default_factory=FakeFamilies)
    clock_offset_seconds: float = 0
    manifest_url_seconds: float = 2
    page_size: int = 50
    refuse_discards: str | None = None
    retry_after_seconds: int | None = None
    parts: dict[str, Stored] = field(default_factory=dict)
    objects: dict[str, Stored] = field(default_factory=dict)
    secret_sha256: str | None = None
    recovery_code: str | None = None
    """In its one form; what an enrolment answers too, until the token is used."""
    readers: dict[str, str] = field(default_factory=dict)
    """Hashes of readers' secrets, and the code that each was given for."""
    reader_until: str = "2027-01-01T00:00:00Z"
    tries: list[str] = field(default_factory=list)
    """Each code that was tried."""
    tries_left: int = 20
    runs: list[dict[str, Any]] = field(default_factory=list)
    lease: dict[str, str] = field(default_factory=dict)
    second_runs: int = 0
    public_root: str | None = None
    """What clients are told to call, if something stands between."""
    permits: dict[str, dict[str, Any]] = field(default_factory=dict)
    sealing: dict[str, float] = field(default_factory=dict)
    upload_requests: int = 0
    download_requests: int = 0
    facts_requests: int = 0
    """Of those, the ones that ask for no URL."""
    newest_client_version: str = __version__
    oldest_client_version: str = __version__
    newest_known: str | None = None
    """When the newest complete set was stored, where the service knows it better than the bucket."""
    sent: dict[str, list[list[int]]] = field(default_factory=dict)
    """For each time that a stored file was asked for, by its name: from which byte on, and how many were sent."""
    discarded: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    knows_header_facts: bool = True
    """Whether it leaves digests and proofs to the headers of a GET, as services since 0.2 do."""
    sends_checksums: bool = True
    """Whether S3's digests come through."""
    false_proofs: tuple[str, ...] = ()
    """What the newest run that checked has reported."""
    on_put: Callable[[str, str], None] = lambda name, phase: None
    """Called with the name and ``begin`` (before the body is read), ``store`` and ``end`` (stored)."""
    on_get: Callable[[str], None] = lambda name: None
    """Called before a stored file is sent."""
    trouble: Callable[[str, str], int | None] = lambda method, path: None
    """An HTTP status with which to answer instead, or -1 to cut the connection."""
    loses_answer: Callable[[str, str], bool] = lambda method, path: False
    """Whether the connection is cut when the call has had its effect."""

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.thaws = FakeThaws(self._sizes)
        self.drills = FakeDrills()
        self._numbers, self._is_reader = itertools.count(1), False
        service = self

        class Handler(_Handler):
            fake = service

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def archived(self) -> set[str]:
        """Names in an archive class."""
        return self.thaws.archived

    def _sizes(self) -> dict[str, int]:
        """Of the files of all jobs; no two have the same name: :meth:`_outlast_the_second_of_its_set`."""
        return {key.split("/", 1)[1]: len(stored.data) for key, stored in self.objects.items()}

    def _outlast_the_second_of_its_set(self, job: str) -> None:
        """So that the next job's files have other names than these; duplicity's names tell seconds."""
        while any(f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}" in name for name in self.names(job)):
            time.sleep(0.02)

    @property
    def root(self) -> str:
        return self.public_root or f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.root}/api"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def take_over(self, other: FakeService) -> None:
        """Has what ``other`` has: stored files, runs, and the enrolled machine."""
        self.objects, self.runs = copy.deepcopy((other.objects, other.runs))
        self.secret_sha256, self.false_proofs = other.secret_sha256, other.false_proofs

    def names(self, job: str = "system") -> list[str]:
        return sorted(key.split("/", 1)[1] for key in self.objects if key.startswith(f"{job}/"))

    def sealed(self, job: str = "system") -> list[str]:
        return sorted(sealed_sets(self.names(job)), key=lambda name: name.rsplit(".", 1)[-1])

    def store(self, name: str, data: bytes) -> None:
        """Has a file of the first job stored, without a run."""
        self.objects[f"{self.jobs[0]}/{name}"] = Stored(data, hashlib.md5(data).hexdigest(), now_text())

    def lose(self, *parts: str) -> None:
        """Has the files of the first job gone whose names have all of ``parts`` in them."""
        for name in self.names(self.jobs[0]):
            if all(part in name for part in parts):
                del self.objects[f"{self.jobs[0]}/{name}"]

    # ------------------------------------------------------------ the API

    def call(self, method: str, path: list[str], query: dict[str, list[str]], body: Any) -> tuple[int, Any]:  # noqa: C901
        if self._is_reader and (path == ["jobs"] or path[2:3] in _WRITING):
            return 403, {"error": "read_only", "message": "a recovery code's token only reads"}
        match method, path:
            case "GET", ["machine"]:
                return 200, self._machine()
            case "POST", ["jobs"]:
                return self._add_job(body)
            case "POST", ["jobs", named, "runs"] if body["kind"] == "check":
                return self.families.check(named, body, now_text(self.clock_offset_seconds))
            case "POST", ["jobs", job, "runs"]:
                return self._start_run(job, body)
            case "PATCH", ["jobs", job, "runs", run]:
                if self.lease.get(job) != run:
                    return 409, {"error": "lease_lost", "message": "another run holds the job"}
                record = next(item for item in self.runs if item["run"] == run)
                record["beats"] = record.get("beats", 0) + 1
                if "false_proofs" in body:
                    self.false_proofs = tuple(body["false_proofs"])
                if "exit_code" in body:
                    record.update(body)
                    del self.lease[job]
                    self._outlast_the_second_of_its_set(job)
                return 200, {}
            case "POST", ["jobs", job, "multiparts"]:
                if self.lease.get(job) != body["run"]:
                    return 409, {"error": "lease_lost", "message": "another run holds the job"}
                return self._multipart(job, body)
            case "GET", ["jobs", job, "files"]:
                return 200, self._files(job, query.get("after", [""])[0])
            case "POST", ["jobs", job, "uploads"]:
                if self.lease.get(job) != body["run"]:
                    return 409, {"error": "lease_lost", "message": "another run holds the job"}
                self.upload_requests += 1
                return 200, {"files": [self._permit(job, file) for file in body["files"]]}
            case "POST", ["jobs", job, "downloads"]:
                self.download_requests += 1
                facts_only = bool(body.get("facts_only"))
                self.facts_requests += facts_only
                permits = [self._download(job, name, facts_only) for name in body["names"]]
                if body.get("facts_in_headers") and self.knows_header_facts:
                    permits = [_left_to_headers(permit) for permit in permits]
                return 200, {"files": permits}
            case "POST", ["jobs", job, "thaws"]:
                return self.thaws.plan(body["volumes"], job, body.get("line_bytes_a_second"))
            case "POST", ["jobs", _job, "thaws", thaw, "start"]:
                return self.thaws.start(thaw, body)
            case "GET", ["jobs", _job, "thaws", thaw]:
                return self.thaws.look(thaw)
            case "POST", ["jobs", _job, "drills"] if self.drills.known:
                return self.drills.report(body)
            case "POST", ["jobs", job, "discards"]:
                return self._discard(job, body)
        return 403, {"message": "Missing Authentication Token"}

    def enrol(self, body: Any) -> tuple[int, Any]:
        if body["code"] != CODE:
            return 403, {"error": "bad_code", "message": "this code is unknown; ask the owner for a new one"}
        if self.secret_sha256 not in (None, body["secret_sha256"]):
            return 403, {"error": "code_used", "message": "this code was used already; ask for a new one"}
        self.secret_sha256 = body["secret_sha256"]
        return 200, {**self._enrolled_jobs(), "recovery_code": self.recovery_code}

    def _enrolled_jobs(self) -> dict[str, Any]:
        jobs = [
            {"job": job, "period_seconds": self._period(job), "family": self.families.job_of.get(job)}
            for job in self.jobs
        ]
        return {"machine": MACHINE, "jobs": jobs, "families": self.families.described()}

    def _period(self, job: str) -> int:
        return PERIOD_SECONDS if job in self.families.job_of else 86400

    def _add_job(self, body: Any) -> tuple[int, Any]:
        status, answer = self.families.add(body, self.jobs)
        if status == 201 and body["job"] not in self.jobs:
            self.jobs = (*self.jobs, body["job"])
        return status, answer

    def recover(self, body: Any) -> tuple[int, Any]:
        if self.tries_left <= 0:
            message = "too many wrong recovery codes came from this network address; try again in an hour"
            return 429, {"error": "too_many_tries", "message": message, "retry_after_seconds": 3600}
        self.tries.append(body["code"])
        if body["machine"] != MACHINE or body["code"] != self.recovery_code:
            self.tries_left -= 1
            message = "not valid, or was replaced by a newer one. The second half of the sheet needs no code."
            return 403, {"error": "bad_code", "message": message}
        self.readers[body["secret_sha256"]] = body["code"]
        return 201, {**self._enrolled_jobs(), "reader_until": self.reader_until}

    def authorized(self, header: str | None) -> bool:
        machine, _, secret = (header or "").removeprefix("Bearer ").partition(".")
        digest = hashlib.sha256(secret.encode()).hexdigest()
        self._is_reader = digest != self.secret_sha256
        return machine == MACHINE and (digest == self.secret_sha256 or digest in self.readers)

    def _machine(self) -> Any:
        jobs = [
            {
                "job": job,
                "state": self._state(job),
                "period_seconds": self._period(job),
                "grace_seconds": 86400,
                "archive_class": "GLACIER_IR",
                "archive_after_days": 7,
                "newest_complete_at": self._newest_complete_at(job),
                "chain_length": len(self.sealed(job)),
                "stored_bytes": sum(len(item.data) for item in self.objects.values()),
                "proofs_since": self.proofs_since(job),
                "drill": self.drills.status(),
                "family": self.families.job_of.get(job),
                "checked_at": self.families.checked_at(job),
            }
            for job in self.jobs
        ]
        return {
            "machine": MACHINE,
            "server_time": now_text(self.clock_offset_seconds),
            "jobs": jobs,
            "newest_client_version": self.newest_client_version,
            "oldest_client_version": self.oldest_client_version,
            "reader_until": self.reader_until if self._is_reader else None,
            "families": self.families.described(),
        }

    def _state(self, job: str) -> str:
        if not self.sealed(job):
            return "never"
        return "settled" if self.families.is_settled(job, self._newest_complete_at(job)) else "fresh"

    def _manifests(self, job: str) -> list[Stored]:
        return [
            stored for key, stored in self.objects.items() if key.startswith(f"{job}/") and ".manifest" in key
        ]

    def _newest_complete_at(self, job: str) -> str | None:
        return self.newest_known or max((stored.stored_at for stored in self._manifests(job)), default=None)

    def proofs_since(self, job: str = "system") -> str | None:
        with_proof = [stored.stored_at for stored in self._manifests(job) if "proof" in stored.metadata]
        return min(with_proof, default=None)

    def _start_run(self, job: str, body: Any) -> tuple[int, Any]:
        holder, run = self.lease.get(job), body["run"]
        if holder is not None and holder not in (run, body.get("resumes")):
            self.second_runs += 1
            return 409, {"error": "run_in_progress", "message": "another run of this job is in progress"}
        if any(known["run"] == run and "exit_code" in known for known in self.runs):
            return 404, {"error": "unknown_run", "message": "that run is over"}
        if holder != run:
            self.runs.append({**body, "job": job})
        self.lease[job] = run
        return 200, {"run": run, "server_time": now_text(self.clock_offset_seconds), "lease_seconds": 1200}

    def _files(self, job: str, after: str) -> Any:
        names = [name for name in self.names(job) if name > after]
        page = names[: self.page_size]
        files = [
            {
                "name": name,
                "size": len(self.objects[f"{job}/{name}"].data),
                "etag": self.objects[f"{job}/{name}"].etag,
                "stored_at": self.objects[f"{job}/{name}"].stored_at,
                "storage_class": self.thaws.class_of(name),
            }
            for name in page
        ]
        return {"files": files, **({"next": page[-1]} if len(names) > len(page) else {})}

    def _permit(self, job: str, file: Any) -> Any:
        name, key = file["name"], f"{job}/{file['name']}"
        parsed = parse_name(name)
        if parsed is None:
            return {"name": name, "error": "bad_name", "message": f"{name} is no duplicity file"}
        metadata: dict[str, str] = {}
        lapses = self.sealing.get(f"{job}/{parsed.set}", 0)
        there = self.objects.get(key)
        if there and hashlib.sha256(there.data).hexdigest() == file["sha256"]:
            return {"name": name, "present": True, "etag": there.etag}
        sealed = parsed.set in self.sealed(job)
        if sealed and parsed.kind != "jsonstat":
            return {"name": name, "error": "set_sealed", "message": f"{parsed.set} is sealed"}
        if lapses > time.monotonic() and parsed.kind != "manifest" and not sealed:
            return {
                "name": name,
                "error": "set_sealing",
                "message": "being sealed",
                "retry_after_seconds": 1,
            }
        if parsed.kind == "manifest":
            refusal = self._proof_refusal(job, file.get("proof")) or self._gate(
                job, parsed.set, file.get("set")
            )
            if refusal:
                return {"name": name, **refusal}
            metadata = self._metadata_of(file)
            self.sealing[f"{job}/{parsed.set}"] = time.monotonic() + self.manifest_url_seconds
        if there:
            del self.objects[key]  # the delete marker that the service writes itself
            self.replaced.append(name)
        permit = f"p{next(self._numbers)}"
        self.permits[permit] = {
            "key": key,
            "size": file["size"],
            "sha256": file["sha256"],
            "metadata": metadata,
            "lapses": time.monotonic() + (self.manifest_url_seconds if parsed.kind == "manifest" else 60),
        }
        return {
            "name": name,
            "url": f"{self.root}/s3/{key}?permit={permit}",
            "headers": {
                "If-None-Match": "*",
                "Content-Length": str(file["size"]),
                "x-amz-tagging": "a=b",
                **{f"x-amz-meta-{item}": value for item, value in metadata.items()},
            },
        }

    def _metadata_of(self, manifest: Any) -> dict[str, str]:
        parsed = [parse_name(member["name"]) for member in manifest["set"]]
        volumes = sum(member is not None and member.kind == "volume" for member in parsed)
        proof = manifest.get("proof")
        return {"volumes": str(volumes), **({"proof": proof} if proof else {})}

    def _proof_refusal(self, job: str, proof: str | None) -> Any:
        if proof is None and self.proofs_since(job) is not None:
            return {"error": "proof_missing", "message": "Upgrade panicroom on this computer"}
        if proof is not None and re.fullmatch("[0-9a-f]{64}", proof) is None:
            return {"error": "bad_proof", "message": "proof must be 64 lower-case hex digits"}
        return None

    def _multipart(self, job: str, body: Any) -> tuple[int, Any]:
        """Parts are kept under keys of their own until they become a file; two URLs an answer."""
        key, count = f"{job}/{body['name']}", len(body["part_sha256"])
        there = self.objects.get(key)
        if there and there.parts == body["part_sha256"]:
            return 200, {"etag": there.etag}
        upload = body.get("upload") or f"u{next(self._numbers)}"
        part_keys = [f"{upload}/{number}" for number in range(1, count + 1)]
        if "etags" in body:
            stored = [self.parts.get(part) for part in part_keys]
            if [one and one.etag for one in stored] != body["etags"]:
                return 404, {"error": "not_found", "message": "not all of the parts are there"}
            data = b"".join(one.data for one in stored if one)
            etag = f"{hashlib.md5(data).hexdigest()}-{count}"
            self.objects[key] = Stored(data, etag, now_text(), body["part_sha256"])
            return 200, {"etag": etag}
        first = body.get("first_part", 1)
        permits = []
        for number in range(first, min(count, first + 1) + 1):
            permit = f"p{next(self._numbers)}"
            offset = (number - 1) * body["part_bytes"]
            self.permits[permit] = {
                "part": part_keys[number - 1],
                "size": min(body["part_bytes"], body["size"] - offset),
                "sha256": body["part_sha256"][number - 1],
                "lapses": time.monotonic() + 60,
            }
            url = f"{self.root}/s3/{key}?permit={permit}"
            permits.append({"number": number, "url": url, "headers": {}})
        return 200, {"upload": upload, "parts": permits}

    def _gate(self, job: str, set_name: str, members: Any) -> Any:
        if members is None:
            return {"error": "set_list_missing", "message": "a manifest needs the list of its set"}
        told = {item["name"]: (item["size"], item["etag"]) for item in members}
        held = {
            name: (len(self.objects[f"{job}/{name}"].data), self.objects[f"{job}/{name}"].etag)
            for name in self.names(job)
            if (parsed := parse_name(name)) and parsed.set == set_name
        }
        wrong = sorted(name for name, facts in told.items() if held.get(name) != facts)
        if wrong:
            return {
                "error": "set_incomplete",
                "message": f"{wrong[0]} is missing or different",
                "names": wrong,
            }
        for name in set(held) - set(told):
            del self.objects[f"{job}/{name}"]
            self.discarded.append(name)
        return None

    def _download(self, job: str, name: str, facts_only: bool) -> Any:
        there = self.objects.get(f"{job}/{name}")
        if there is None:
            return {"name": name, "error": "not_found", "message": f"{name} is not stored"}
        volumes = there.metadata.get("volumes")
        archived = self.thaws.is_archived(name)
        return {
            "name": name,
            "url": None if archived or facts_only else f"{self.root}/s3/{job}/{name}",
            "archived": archived or None,
            "thawing": (archived and name in self.thaws.under_way) or None,
            "size": len(there.data),
            "sha256": there.sha256,
            "volumes": None if volumes is None else int(volumes),
            "proof": there.metadata.get("proof"),
        }

    def _discard(self, job: str, body: Any) -> tuple[int, Any]:
        if self.lease.get(job) != body["run"]:
            return 409, {"error": "lease_lost", "message": "another run holds the job"}
        discarded, refused = [], []
        for name in body["names"]:
            parsed = parse_name(name)
            assert parsed is not None, name
            error = self.refuse_discards
            if parsed.set in self.sealed(job):
                error = "set_sealed"
            elif self.sealing.get(f"{job}/{parsed.set}", 0) > time.monotonic():
                error = "set_sealing"
            if error:
                refused.append({"name": name, "error": error, "message": f"{parsed.set} is {error}"})
            else:
                self.objects.pop(f"{job}/{name}", None)
                self.discarded.append(name)
                discarded.append(name)
        return 200, {"discarded": discarded, "refused": refused}

    # ------------------------------------------------------------ S3

    def put(self, permit_id: str, data: bytes, headers: Any) -> tuple[int, str]:
        permit = self.permits.get(permit_id)
        if permit is None or permit["lapses"] < time.monotonic():
            return 403, "<Error><Code>AccessDenied</Code></Error>"
        if ("part" not in permit and headers["If-None-Match"] != "*") or len(data) != permit["size"]:
            return 403, "<Error><Code>SignatureDoesNotMatch</Code></Error>"
        if hashlib.sha256(data).hexdigest() != permit["sha256"]:
            return 400, "<Error><Code>BadDigest</Code></Error>"
        if "part" in permit:
            etag = hashlib.md5(data).hexdigest()
            self.parts[permit["part"]] = Stored(data, etag, now_text())
            return 200, etag
        if any(headers[f"x-amz-meta-{item}"] != value for item, value in permit["metadata"].items()):
            return 403, "<Error><Code>SignatureDoesNotMatch</Code></Error>"
        if permit["key"] in self.objects:
            return 412, "<Error><Code>PreconditionFailed</Code></Error>"
        etag = hashlib.md5(data).hexdigest()
        self.objects[permit["key"]] = Stored(data, etag, now_text(), metadata=permit["metadata"])
        return 200, etag


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeService

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PATCH(self) -> None:
        self._serve("PATCH")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def _serve(self, method: str) -> None:
        parts = urlsplit(self.path)
        path = [unquote(part) for part in parts.path.strip("/").split("/")]
        status = self.fake.trouble(method, parts.path)
        if status == -1:
            self.close_connection = True
            self.connection.close()
            return
        if path[0] == "s3" and method == "PUT":
            self.fake.on_put(path[-1], "begin")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if status is not None:
            after = self.fake.retry_after_seconds
            self._answer(status, b'{"message": "trouble"}', {"Retry-After": str(after)} if after else {})
        elif path[0] == "s3":
            self._serve_s3(method, "/".join(path[1:]), parse_qs(parts.query), body)
        else:
            with self.fake.lock:
                if path[1:] == ["enrolments"]:
                    code, answer = self.fake.enrol(json.loads(body))
                elif path[1:] == ["recoveries"]:
                    code, answer = self.fake.recover(json.loads(body))
                elif not self.fake.authorized(self.headers.get("Authorization")):
                    code, answer = 403, {"Message": "User is not authorized"}
                else:
                    code, answer = self.fake.call(
                        method, path[1:], parse_qs(parts.query), json.loads(body) if body else {}
                    )
            if self.fake.loses_answer(method, parts.path):
                self.close_connection = True
                self.connection.close()
                return
            self._answer(code, json.dumps(answer).encode(), {})

    def _serve_s3(self, method: str, key: str, query: dict[str, list[str]], body: bytes) -> None:
        if method == "GET":
            self.fake.on_get(key.rsplit("/", 1)[-1])
            self._send_stored(key)
            return
        name = key.rsplit("/", 1)[-1]
        self.fake.on_put(name, "store")
        with self.fake.lock:
            status, text = self.fake.put(query["permit"][0], body, self.headers)
        if status == 200:
            self.fake.on_put(name, "end")
            self._answer(200, b"", {"ETag": f'"{text}"'})
        else:
            self._answer(status, text.encode(), {})

    def _send_stored(self, key: str) -> None:
        stored = self.fake.objects.get(key)
        if stored is None:
            self._answer(404, b"", {})
            return
        first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        data, name = stored.data[first:], key.rsplit("/", 1)[-1]
        with self.fake.lock:
            sent = [first, 0]
            self.fake.sent.setdefault(name, []).append(sent)
        headers = {f"x-amz-meta-{item}": value for item, value in stored.metadata.items()}
        asked = self.headers.get("x-amz-checksum-mode") == "ENABLED" and not first
        if asked and self.fake.sends_checksums:
            headers["x-amz-checksum-sha256"] = stored.checksum
        # Little lies in the kernel's buffers when the other side is killed.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)

        def count(written: int) -> None:
            sent[1] += written

        self._answer(206 if first else 200, data, headers, count)

    def _answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str],
        on_written: Callable[[int], None] = lambda _bytes: None,
    ) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for begin in range(0, len(body), _CHUNK_BYTES):
                on_written(self.wfile.write(body[begin : begin + _CHUNK_BYTES]))
        except OSError:
            self.close_connection = True

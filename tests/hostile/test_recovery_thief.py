"""Who has half of what it takes: malware on the laptop without the paper, a finder of the paper without the laptop."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest

from chalicelib.recovery_code import new_recovery_code
from tests.hostile import behind_gateway
from tests.service.conftest import BUCKET, TABLE, Answer, Service, later

THIEFS = "6" * 64
VOLUME = "data_duplicity-full.20261122T190000Z.vol1.difftar.gpg"
RUN = "20261122t195500z-0123456789abcdef"


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def rows(service: Service, *partitions: str) -> list[Any]:
    """All of those partitions, as DynamoDB writes them."""
    pages = service.table.get_paginator("scan").paginate(TableName=TABLE)
    found = [row for page in pages for row in page["Items"]]
    return sorted((row for row in found if row["pk"]["S"].startswith(partitions)), key=str)


@dataclasses.dataclass(frozen=True)
class Laptop:
    """All that lies on it: its token, and the enrolment code in the shell's history."""

    token: str
    enrolment_code: str
    paper: str
    """The recovery code, which does not lie on it."""

    @property
    def secret(self) -> str:
        return self.token.partition(".")[2]


@pytest.fixture
def laptop(service: Service) -> Laptop:
    added = service.admin("machine_add", name="anna-laptop")
    secret = "1" * 64
    body = {"code": added["code"], "secret_sha256": digest(secret)}
    assert service.call("POST", "/enrolments", body).body["recovery_code"] == added["recovery_code"]
    token = f"anna-laptop.{secret}"
    assert service.call("GET", "/machine", token=token).status == 200
    service.put(f"anna-laptop/system/{VOLUME}", b"volume")
    return Laptop(token, added["code"], added["recovery_code"])


class TestMalwareOnTheLaptop:
    """It has the laptop's files, its token and its shell's history, within the hour in which it was enrolled."""

    def everything(self, service: Service, laptop: Laptop) -> list[Answer]:
        """What it can ask with what it has."""
        codes = (laptop.enrolment_code, laptop.secret, "", new_recovery_code())
        return [
            *(
                service.call(
                    "POST", "/enrolments", {"code": laptop.enrolment_code, "secret_sha256": digest(secret)}
                )
                for secret in (laptop.secret, THIEFS, laptop.secret)
            ),
            *(
                service.call(
                    "POST",
                    "/recoveries",
                    {"machine": "anna-laptop", "code": code, "secret_sha256": digest(THIEFS)},
                    laptop.token,
                )
                for code in codes
            ),
            service.call("GET", "/machine", token=laptop.token),
            service.call("GET", "/jobs/system/files", token=laptop.token),
            service.run(laptop.token),
            *(
                behind_gateway.call(method, path, {}, laptop.token)
                for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
                for path in ("/recoveries", "/machine", "/recoveries/anna-laptop")
                if (method, path) in served()
            ),
        ]

    def test_it_reads_no_code(self, service: Service, laptop: Laptop) -> None:
        letters = laptop.paper.replace("-", "")
        for answer in self.everything(service, laptop):
            text = str((answer.body, answer.headers))
            assert laptop.paper not in text
            assert letters not in text

    def test_it_makes_renews_and_ends_none(self, service: Service, laptop: Laptop) -> None:
        before = rows(service, "RECOVERIES")
        self.everything(service, laptop)
        assert rows(service, "RECOVERIES") == before != []

    def test_it_makes_itself_no_token_that_outlives_the_revocation(
        self, service: Service, laptop: Laptop
    ) -> None:
        self.everything(service, laptop)
        later(service, minutes=1)
        service.admin("machine_revoke", name="anna-laptop")
        self.everything(service, laptop)
        for secret in (laptop.secret, THIEFS):
            assert service.call("GET", "/machine", token=f"anna-laptop.{secret}").status in (401, 403)
        body = {"machine": "anna-laptop", "code": laptop.paper, "secret_sha256": digest("2" * 64)}
        assert service.call("POST", "/recoveries", body).status == 201, "the paper still works"

    def test_before_the_laptop_it_gets_both_and_the_owner_the_commands_that_end_both(
        self, service: Service
    ) -> None:
        """Whoever has a code before it is used is the laptop, to the service."""
        added = service.admin("machine_add", name="ben-laptop")
        stolen = service.call("POST", "/enrolments", {"code": added["code"], "secret_sha256": digest(THIEFS)})
        later(service, hours=2)
        refused = service.call(
            "POST", "/enrolments", {"code": added["code"], "secret_sha256": digest("2" * 64)}
        )
        assert refused.error == "code_used"
        mail = service.admin("alerts_preview")["mail"]["text"]
        for command in ("machine revoke ben-laptop --stage", "machine revoke ben-laptop --recovery"):
            assert f"python -m ops {command}" in mail
        service.admin("machine_revoke", name="ben-laptop")
        service.admin("machine_revoke", name="ben-laptop", recovery=True)
        assert service.call("GET", "/machine", token=f"ben-laptop.{THIEFS}").status in (401, 403)
        body = {
            "machine": "ben-laptop",
            "code": stolen.body["recovery_code"],
            "secret_sha256": digest(THIEFS),
        }
        assert service.call("POST", "/recoveries", body).error == "bad_code"


def served() -> set[tuple[str, str]]:
    import app

    return {(method, path) for path, methods in app.app.routes.items() for method in methods}


@pytest.fixture
def finder(service: Service, laptop: Laptop) -> str:
    """The token of somebody who found the sheet."""
    body = {"machine": "anna-laptop", "code": laptop.paper, "secret_sha256": digest(THIEFS)}
    assert service.call("POST", "/recoveries", body).status == 201
    return f"anna-laptop.{THIEFS}"


def attempts(run: str) -> list[tuple[str, str, object]]:
    """All that changes something, in the name of the run that holds the lease."""
    content = digest("content")
    manifest = "meta_duplicity-full.20261122T190000Z.manifest.gpg"
    volumes = [{"name": VOLUME, "size": 6, "etag": hashlib.md5(b"volume").hexdigest()}]
    parts = {"name": "meta_duplicity-full-signatures.20261122T190000Z.sigtar.gpg", "size": 7}
    return [
        ("POST", "/jobs/system/runs", {"kind": "full", "clock": "2026-11-22T20:00:00Z", "resumes": run}),
        ("PATCH", f"/jobs/system/runs/{run}", {"exit_code": 0}),
        ("PATCH", f"/jobs/system/runs/{run}", {"false_proofs": ["full.20261122T190000Z"]}),
        (
            "POST",
            "/jobs/system/uploads",
            {"run": run, "files": [{"name": VOLUME, "size": 7, "sha256": content}]},
        ),
        (
            "POST",
            "/jobs/system/uploads",
            {"run": run, "files": [{"name": manifest, "size": 7, "sha256": content, "set": volumes}]},
        ),
        (
            "POST",
            "/jobs/system/multiparts",
            {"run": run, **parts, "part_bytes": 5 * 2**20, "part_sha256": [content]},
        ),
        ("POST", "/jobs/system/discards", {"run": run, "names": [VOLUME]}),
    ]


class TestAFoundSheet:
    def test_stops_poisons_seals_and_deletes_nothing(
        self, service: Service, laptop: Laptop, finder: str
    ) -> None:
        """Not even in the name of the run that holds the lease, nor behind the gateway's memory."""
        run = service.run(laptop.token).body["run"]
        partitions = (
            "LEASES",
            "JOBS",
            "JOB#",
            "MACHINES",
            "OPEN_SETS",
            "FINDINGS",
            "QUARANTINES",
            "UPLOADS",
            "STORED",
        )
        before, stored = rows(service, *partitions), service.stored_keys()
        for method, path, body in attempts(run):
            for call in (service.call, behind_gateway.call):
                answer = call(method, path, body, finder)
                assert (answer.status, answer.error) == (403, "read_only"), path
        assert rows(service, *partitions) == before
        assert service.stored_keys() == stored
        assert service.discards == []
        versions = service.s3.list_object_versions(Bucket=BUCKET)
        assert "DeleteMarkers" not in versions
        ended = service.call("PATCH", f"/jobs/system/runs/{run}", {"exit_code": 0}, laptop.token)
        assert ended.status == 200, "the laptop's own run goes on"

    def test_sees_no_other_machine(self, service: Service, finder: str) -> None:
        service.enrolled("ben-laptop", jobs=["bens-photos"])
        service.put(f"ben-laptop/bens-photos/{VOLUME}", b"volume")
        assert service.call("GET", "/machine", token=finder).body["machine"] == "anna-laptop"
        assert "ben" not in str(service.call("GET", "/machine", token=finder).body)
        for token in (finder, f"ben-laptop.{THIEFS}"):
            answer = behind_gateway.call("GET", "/jobs/bens-photos/files", token=token)
            assert answer.status in (401, 403, 404)
        answer = service.call(
            "POST", "/jobs/system/downloads", {"names": [f"../../ben-laptop/{VOLUME}"]}, finder
        )
        assert "url" not in str(answer.body)

    def test_gives_no_second_code_and_no_longer_time(
        self, service: Service, laptop: Laptop, finder: str
    ) -> None:
        """What runs out is made again by typing the code again, which is mailed again."""
        until = service.call("GET", "/machine", token=finder).body["reader_until"]
        later(service, days=29)
        body = {"machine": "anna-laptop", "code": laptop.paper, "secret_sha256": digest(THIEFS)}
        assert service.call("POST", "/recoveries", body).body["reader_until"] == until
        enrolment = {"code": laptop.paper, "secret_sha256": digest(THIEFS)}
        assert service.call("POST", "/enrolments", enrolment).error == "bad_code"

    def test_cannot_keep_out_who_else_has_the_sheet(
        self, service: Service, laptop: Laptop, finder: str
    ) -> None:
        for number in range(10, 20):
            body = {"machine": "anna-laptop", "code": laptop.paper, "secret_sha256": digest(f"{number:064x}")}
            assert service.call("POST", "/recoveries", body).status == 201
        body["secret_sha256"] = digest("3" * 64)
        assert service.call("POST", "/recoveries", body).status == 201
        assert service.call("GET", "/machine", token=f"anna-laptop.{'3' * 64}").status == 200

    def test_is_worthless_at_the_next_call_after_one_command(
        self, service: Service, laptop: Laptop, finder: str
    ) -> None:
        service.admin("machine_revoke", name="anna-laptop", recovery=True)
        answer = behind_gateway.call("GET", "/jobs/system/files", token=finder)
        assert (answer.status, answer.error) == (401, "not_authorized")
        assert service.call("GET", "/machine", token=laptop.token).status == 200, "the laptop goes on"

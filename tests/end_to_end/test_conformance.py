"""The client's tests run against a fake service; these hold the fake to the real one: the same test, both services.

Whatever a client can notice must be the same: the answer, the code of an error, what S3 accepts and returns.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone

import httpx
import pytest
from fake_families import FakeFamilies
from fake_service import CODE, FakeService
from panicroom.api import Api, ApiError
from panicroom.origin import digest_of_parts
from panicroom.transfer.header_facts import with_header_facts
from panicroom.wire import (
    DownloadPermit,
    EnrolmentRequest,
    ErrorCode,
    FamilyStatus,
    JobCheck,
    JobRequest,
    MultipartRequest,
    RunStart,
    RunUpdate,
    SetMember,
    ThawPlan,
    ThawRequest,
    ThawStart,
    ThawState,
    ThawTier,
    ThawVolumes,
    UploadFile,
    UploadPermit,
    UploadRequest,
    new_run_id,
)
from thief import name_of, text_of

from tests.end_to_end.api_thaws import hooked
from tests.end_to_end.conftest import Service

JOB = "system"
PROOF = "0f" * 32
LONG_SECONDS = 600
ENOUGH_SECONDS = 60


@dataclass
class Client:
    """An enrolled machine that calls the API by hand."""

    url: str
    code: str
    secret: str
    machine: str
    run: str = ""
    members: dict[str, SetMember] = field(default_factory=dict)
    freeze: Callable[[], object] = lambda: None
    """Moves its volumes to Deep Archive."""
    finish: Callable[[], object] = lambda: None
    """Has its thaws done."""

    def __post_init__(self) -> None:
        self.api = Api(self.url, f"{self.machine}.{self.secret}", patience_seconds=0)
        self.full = f"full.{text_of(datetime.now(timezone.utc))}"

    def start(self, **fields: str) -> str:
        now = datetime.now(timezone.utc)
        request = RunStart(
            "full", now.strftime("%Y-%m-%dT%H:%M:%SZ"), run=new_run_id(now, secrets.token_bytes(8))
        )
        return self.api.start_run(JOB, dataclasses.replace(request, **fields)).run

    def ask(self, file: UploadFile) -> UploadPermit:
        (permit,) = self.api.uploads(JOB, UploadRequest(self.run, (file,))).files
        return permit

    def store(self, name: str, content: bytes) -> httpx.Response:
        permit = self.ask(upload(name, content))
        assert permit.url is not None, permit
        answer = put(permit, content)
        assert answer.status_code == 200, answer.text
        self.members[name] = SetMember(name, len(content), answer.headers["ETag"].strip('"'))
        return answer

    def store_set(self) -> None:
        """Volume and signatures, without the manifest."""
        self.store(self.volume(1), b"volume")
        self.store(name_of("signatures", self.full), b"signatures")

    def ask_to_seal(self, proof: str | None = PROOF) -> UploadPermit:
        file = upload(name_of("manifest", self.full), b"manifest")
        return self.ask(dataclasses.replace(file, set=tuple(self.members.values()), proof=proof))

    def seal(self) -> None:
        permit = self.ask_to_seal()
        assert permit.url is not None, permit
        assert put(permit, b"manifest").status_code == 200

    def volume(self, number: int) -> str:
        return name_of("volume", self.full, number)

    def fetch(self, name: str) -> DownloadPermit:
        (permit,) = self.api.downloads(JOB, (name,)).files
        return permit

    def names(self) -> set[str]:
        return {file.name for file in self.api.files(JOB)}


def upload(name: str, content: bytes) -> UploadFile:
    return UploadFile(name, len(content), hashlib.sha256(content).hexdigest())


def put(permit: UploadPermit, content: bytes) -> httpx.Response:
    assert permit.url is not None
    return httpx.put(permit.url, headers=permit.headers, content=content)


@pytest.fixture(params=["real", "fake"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A machine of its own, with a run."""
    secret = secrets.token_hex(32)
    if request.param == "fake":
        fake = FakeService(families=FakeFamilies(("photos",)))
        client = enrolled(fake.url, CODE, secret)
        client.freeze = lambda: fake.archived.update(name for name in fake.names() if ".vol" in name)
        client.finish = fake.thaws.finish
        yield client
        client.api.close()
        fake.close()
        return
    service: Service = request.getfixturevalue("service")
    name = f"conforms-{secrets.token_hex(4)}"
    added = service.admin.call("machine_add", name=name, jobs=[JOB], photos=True)
    client = enrolled(service.stack.api_url, added["code"], secret)
    with hooked(service.stack.endpoint, LONG_SECONDS) as hook:
        client.freeze, client.finish = lambda: hook.freeze(name), lambda: hook.finish(name)
        yield client
    client.api.close()


def enrolled(url: str, code: str, secret: str) -> Client:
    answer = Api(url).enrol(EnrolmentRequest(code, hashlib.sha256(secret.encode()).hexdigest()))
    assert [job.job for job in answer.jobs] == [JOB]
    client = Client(url, code, secret, answer.machine)
    client.run = client.start()
    return client


def code_of(error: pytest.ExceptionInfo[ApiError]) -> str:
    return error.value.code


# ---------------------------------------------------------------- enrolment, machine, runs


def test_a_code_works_once_and_again_for_the_same_secret(client: Client) -> None:
    api = Api(client.url, patience_seconds=0)
    same = EnrolmentRequest(client.code, hashlib.sha256(client.secret.encode()).hexdigest())
    assert api.enrol(same).machine == client.machine
    with pytest.raises(ApiError) as error:
        api.enrol(EnrolmentRequest(client.code, "0" * 64))
    assert code_of(error) == ErrorCode.CODE_USED
    with pytest.raises(ApiError) as error:
        api.enrol(EnrolmentRequest("never-made", "0" * 64))
    assert code_of(error) == ErrorCode.BAD_CODE


def test_another_token_is_refused(client: Client) -> None:
    with pytest.raises(ApiError) as error:
        Api(client.url, f"{client.machine}.{'0' * 64}", patience_seconds=0).machine()
    assert code_of(error) == ErrorCode.NOT_AUTHORIZED


def test_the_machine_knows_its_jobs(client: Client) -> None:
    status = client.api.machine()
    assert status.machine == client.machine
    (job,) = status.jobs
    assert (job.job, job.state, job.chain_length, job.proofs_since) == (JOB, "never", 0, None)


def test_a_run_that_is_asked_for_again_is_the_same_run(client: Client) -> None:
    assert client.start(run=client.run) == client.run


def test_a_second_run_is_refused_unless_it_resumes_the_first(client: Client) -> None:
    with pytest.raises(ApiError) as error:
        client.start()
    assert code_of(error) == ErrorCode.RUN_IN_PROGRESS
    client.start(resumes=client.run)
    with pytest.raises(ApiError) as error:
        client.api.update_run(JOB, client.run, RunUpdate())
    assert code_of(error) == ErrorCode.LEASE_LOST


def test_a_run_that_is_over_cannot_be_started_again(client: Client) -> None:
    client.api.update_run(JOB, client.run, RunUpdate(exit_code=0))
    with pytest.raises(ApiError) as error:
        client.start(run=client.run)
    assert code_of(error) == ErrorCode.UNKNOWN_RUN
    client.start()


# ---------------------------------------------------------------- uploads


def test_nothing_is_stored_without_the_lease(client: Client) -> None:
    client.api.update_run(JOB, client.run, RunUpdate(exit_code=0))
    with pytest.raises(ApiError) as error:
        client.ask(upload(client.volume(1), b"volume"))
    assert code_of(error) == ErrorCode.LEASE_LOST


def test_a_name_that_duplicity_does_not_write_is_refused(client: Client) -> None:
    assert client.ask(upload("photo.jpg", b"volume")).error == ErrorCode.BAD_NAME


def test_a_url_takes_those_bytes_once(client: Client) -> None:
    permit = client.ask(upload(client.volume(1), b"volume"))
    assert put(permit, b"vOlume").status_code in (400, 403)
    assert put(permit, b"volume").status_code == 200
    assert put(permit, b"volume").status_code == 412
    assert client.names() == {client.volume(1)}


def test_the_same_bytes_are_present(client: Client) -> None:
    client.store(client.volume(1), b"volume")
    permit = client.ask(upload(client.volume(1), b"volume"))
    assert (permit.present, permit.etag, permit.url) == (True, client.members[client.volume(1)].etag, None)


def test_other_bytes_replace_a_file_of_an_open_set(client: Client) -> None:
    client.store(client.volume(1), b"volume")
    client.store(client.volume(1), b"another volume")
    (file,) = client.api.files(JOB)
    assert file.size == len(b"another volume")


def test_signatures_can_come_in_parts(client: Client) -> None:
    parts = [b"a" * 5 * 2**20, b"rest"]
    name, digests = (
        name_of("signatures", client.full),
        tuple(hashlib.sha256(part).hexdigest() for part in parts),
    )
    begin = MultipartRequest(client.run, name, sum(map(len, parts)), len(parts[0]), digests)
    begun = client.api.multiparts(JOB, begin)
    etags = tuple(
        httpx.put(permit.url, headers=permit.headers, content=part).headers["ETag"].strip('"')
        for permit, part in zip(begun.parts, parts, strict=True)
    )
    assert name not in client.names(), "parts are no file"
    done = client.api.multiparts(JOB, dataclasses.replace(begin, upload=begun.upload, etags=etags))
    assert done.etag is not None
    assert client.api.multiparts(JOB, begin).etag == done.etag, "the same parts are present"
    assert client.fetch(name).sha256 == digest_of_parts(digests)


def test_parts_that_are_missing_make_no_file(client: Client) -> None:
    digest = hashlib.sha256(b"part").hexdigest()
    begin = MultipartRequest(client.run, name_of("signatures", client.full), 4, 5 * 2**20, (digest,))
    begun = client.api.multiparts(JOB, begin)
    with pytest.raises(ApiError) as error:
        client.api.multiparts(JOB, dataclasses.replace(begin, upload=begun.upload, etags=("0" * 32,)))
    assert code_of(error) == ErrorCode.NOT_FOUND


# ---------------------------------------------------------------- sealing


def test_a_manifest_needs_the_list_of_its_set(client: Client) -> None:
    client.store_set()
    assert (
        client.ask(upload(name_of("manifest", client.full), b"manifest")).error == ErrorCode.SET_LIST_MISSING
    )


def test_a_set_with_a_file_missing_is_not_sealed(client: Client) -> None:
    client.store_set()
    client.members[client.volume(2)] = SetMember(client.volume(2), 6, "0" * 32)
    permit = client.ask_to_seal()
    assert (permit.error, permit.names) == (ErrorCode.SET_INCOMPLETE, (client.volume(2),))


def test_what_the_list_does_not_name_is_hidden_at_the_seal(client: Client) -> None:
    client.store_set()
    client.store(client.volume(2), b"left over")
    del client.members[client.volume(2)]
    client.seal()
    assert client.volume(2) not in client.names()


def test_while_a_set_is_sealed_it_takes_and_gives_nothing(client: Client) -> None:
    client.store_set()
    assert client.ask_to_seal().url is not None
    permit = client.ask(upload(client.volume(2), b"late"))
    assert permit.error == ErrorCode.SET_SEALING
    assert permit.retry_after_seconds is not None
    answer = client.api.discards(JOB, client.run, (client.volume(1),))
    assert [refused.error for refused in answer.refused] == [ErrorCode.SET_SEALING]


def test_a_sealed_set_takes_its_statistics_and_nothing_else(client: Client) -> None:
    client.store_set()
    client.seal()
    assert client.ask(upload(client.volume(2), b"late")).error == ErrorCode.SET_SEALED
    assert client.ask(upload(client.volume(1), b"other")).error == ErrorCode.SET_SEALED
    client.store(f"meta_duplicity-{client.full}.jsonstat.gpg", b"statistics")


def test_only_files_of_an_open_set_can_be_discarded(client: Client) -> None:
    client.store_set()
    answer = client.api.discards(JOB, client.run, (client.volume(1),))
    assert (answer.discarded, answer.refused) == ((client.volume(1),), ())
    assert client.volume(1) not in client.names()
    client.store(client.volume(1), b"volume")
    client.seal()
    answer = client.api.discards(JOB, client.run, (client.volume(1),))
    assert [refused.error for refused in answer.refused] == [ErrorCode.SET_SEALED]
    assert client.volume(1) in client.names()


# ---------------------------------------------------------------- proofs and downloads


def test_a_proof_comes_back_with_its_manifest(client: Client) -> None:
    client.store_set()
    client.seal()
    permit = client.fetch(name_of("manifest", client.full))
    assert (permit.proof, permit.volumes) == (PROOF, 1)
    assert permit.sha256 == hashlib.sha256(b"manifest").hexdigest()
    assert permit.url is not None
    answer = httpx.get(permit.url)
    assert answer.content == b"manifest"
    assert answer.headers["x-amz-meta-proof"] == PROOF
    assert answer.headers["x-amz-meta-volumes"] == "1"


def test_the_facts_alone_come_without_a_url(client: Client) -> None:
    client.store_set()
    client.seal()
    (permit,) = client.api.downloads(JOB, (name_of("manifest", client.full),), facts_only=True).files
    assert (permit.url, permit.proof, permit.volumes, permit.size) == (None, PROOF, 1, len(b"manifest"))
    assert permit.sha256 == hashlib.sha256(b"manifest").hexdigest()


def test_of_many_files_the_facts_come_with_the_file(client: Client) -> None:
    """By a URL that has the header signed that asks S3 for its digest."""
    client.store_set()
    client.seal()
    names = (name_of("manifest", client.full), *map(client.volume, range(2, 20)))
    permit, *others = client.api.downloads(JOB, names, facts_in_headers=True).files
    assert {other.error for other in others} == {ErrorCode.NOT_FOUND}
    assert (permit.sha256, permit.volumes, permit.proof) == (None, None, None)
    assert permit.url is not None
    answer = httpx.get(permit.url, headers=permit.headers)
    assert answer.content == b"manifest"
    permit = with_header_facts(permit, answer.headers)
    assert permit.sha256 == hashlib.sha256(b"manifest").hexdigest()
    assert (permit.volumes, permit.proof) == (1, PROOF)


def test_a_manifest_is_not_stored_without_its_proof(client: Client) -> None:
    client.store_set()
    permit = client.ask_to_seal()
    headers = {name: value for name, value in (permit.headers or {}).items() if name != "x-amz-meta-proof"}
    assert put(dataclasses.replace(permit, headers=headers), b"manifest").status_code == 403


def test_what_is_no_proof_is_refused(client: Client) -> None:
    client.store_set()
    assert client.ask_to_seal("not a proof").error == ErrorCode.BAD_PROOF


def test_a_file_that_is_not_stored_is_not_found(client: Client) -> None:
    assert client.fetch(client.volume(1)).error == ErrorCode.NOT_FOUND


def test_a_download_gives_the_bytes(client: Client) -> None:
    client.store(client.volume(1), b"volume")
    permit = client.fetch(client.volume(1))
    assert permit.url is not None
    assert httpx.get(permit.url).content == b"volume"
    assert (permit.size, permit.sha256, permit.proof) == (6, hashlib.sha256(b"volume").hexdigest(), None)


# ---------------------------------------------------------------- thaws


def plan(client: Client, numbers: str) -> ThawPlan:
    return client.api.plan_thaw(JOB, ThawRequest((ThawVolumes(client.full, numbers),)))


def wait(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + ENOUGH_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


@pytest.fixture
def frozen(client: Client) -> Client:
    """With two volumes in Deep Archive."""
    client.store(client.volume(1), b"volume 1")
    client.store(client.volume(2), b"volume 2")
    client.freeze()
    return client


def test_an_archived_volume_is_listed_by_its_class_and_not_handed_out(frozen: Client) -> None:
    assert {file.storage_class for file in frozen.api.files(JOB)} == {"DEEP_ARCHIVE"}
    permit = frozen.fetch(frozen.volume(1))
    assert (permit.url, permit.archived, permit.thawing, permit.error) == (None, True, None, None)


def test_the_same_volumes_are_the_same_thaw_and_what_is_not_stored_is_named(frozen: Client) -> None:
    first = plan(frozen, "1-3")
    assert (first.state, first.archived, first.thawing, first.readable) == (ThawState.PLANNED, 2, 0, 0)
    assert len(first.missing) == 1
    assert {offer.tier for offer in first.tiers} == {ThawTier.BULK, ThawTier.STANDARD}
    assert plan(frozen, "1-3").thaw == first.thaw != plan(frozen, "1-2").thaw
    assert frozen.api.thaw_status(JOB, first.thaw).state == ThawState.PLANNED


def test_a_thaw_is_started_once_and_by_a_tier_of_its_class(frozen: Client) -> None:
    planned = plan(frozen, "1-2")
    with pytest.raises(ApiError) as error:
        frozen.api.start_thaw(JOB, planned.thaw, ThawStart(ThawTier.EXPEDITED, 1.0))
    assert code_of(error) == ErrorCode.TIER_UNAVAILABLE
    for _ in range(2):
        status = frozen.api.start_thaw(JOB, planned.thaw, ThawStart(ThawTier.BULK, 1.0))
        assert (status.thaw, status.of) == (planned.thaw, 2)
        assert status.state in (ThawState.ASKING, ThawState.THAWING)
    wait(lambda: frozen.fetch(frozen.volume(2)).thawing is True)
    assert (plan(frozen, "2").archived, plan(frozen, "2").thawing) == (0, 1)


def test_what_was_thawed_is_handed_out_and_planned_as_readable(frozen: Client) -> None:
    planned = plan(frozen, "1-2")
    frozen.api.start_thaw(JOB, planned.thaw, ThawStart(ThawTier.BULK, 1.0))
    wait(lambda: all(frozen.fetch(frozen.volume(number)).thawing for number in (1, 2)))
    frozen.finish()
    wait(lambda: frozen.api.thaw_status(JOB, planned.thaw).state == ThawState.READY)
    status = frozen.api.thaw_status(JOB, planned.thaw)
    assert (status.done, status.of, status.readable_until is not None) == (2, 2, True)
    assert frozen.fetch(frozen.volume(1)).url is not None
    again = plan(frozen, "1-2")
    assert (again.state, again.archived, again.thawing, again.readable) == (ThawState.READY, 0, 0, 2)
    assert [offer.tier for offer in again.tiers] == [None]


def test_a_thaw_that_nobody_has_planned_is_unknown(client: Client) -> None:
    for call in (
        lambda: client.api.thaw_status(JOB, "0" * 20),
        lambda: client.api.start_thaw(JOB, "0" * 20, ThawStart(ThawTier.BULK, 1.0)),
    ):
        with pytest.raises(ApiError) as error:
            call()
        assert code_of(error) == ErrorCode.UNKNOWN_THAW


# ---------------------------------------------------------------- families of photo jobs


def checks_of(*jobs: str) -> RunStart:
    checks = tuple(JobCheck(job, files=5_000, bytes=25_000_000_000) for job in jobs)
    return RunStart("check", datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), checks=checks)


def test_a_family_is_described_and_its_jobs_are_made_once(client: Client) -> None:
    [family] = client.api.machine().families
    assert dataclasses.replace(family, usd_a_gb_year=None) == FamilyStatus("photos", 7 * 86_400, 200, 60)
    for _ in range(2):
        made = client.api.add_job(JobRequest("photos-2018", "photos"))
        assert (made.job, made.family, made.period_seconds) == ("photos-2018", "photos", 7 * 86_400)
    jobs = {job.job: (job.family, job.state, job.checked_at) for job in client.api.machine().jobs}
    assert jobs == {JOB: (None, "never", None), "photos-2018": ("photos", "never", None)}


@pytest.mark.parametrize(
    ("job", "family", "code"),
    [
        ("photos-2018", "films", ErrorCode.UNKNOWN_JOB),
        ("films-2018", "photos", ErrorCode.BAD_NAME),
        ("photos", "photos", ErrorCode.BAD_NAME),
        ("photos-", "photos", ErrorCode.BAD_NAME),
        ("photos-Ä", "photos", ErrorCode.BAD_NAME),
        ("photos-" + "9" * 35, "photos", ErrorCode.BAD_NAME),
        (JOB, "photos", ErrorCode.BAD_NAME),
    ],
)
def test_a_job_that_is_none_of_the_familys_is_refused(
    client: Client, job: str, family: str, code: ErrorCode
) -> None:
    with pytest.raises(ApiError) as error:
        client.api.add_job(JobRequest(job, family))
    assert code_of(error) == code


def test_a_check_keeps_the_time_and_takes_no_lease(client: Client) -> None:
    for job in ("photos-2018", "photos-2019"):
        client.api.add_job(JobRequest(job, "photos"))
    client.api.report_checks("photos", checks_of("photos-2018", "photos-2019"))
    client.api.report_checks("photos-2018", checks_of("photos-2018"))
    jobs = {job.job: job for job in client.api.machine().jobs}
    assert (jobs[JOB].checked_at, jobs["photos-2018"].last_run) == (None, None)
    assert jobs["photos-2018"].checked_at is not None is not jobs["photos-2019"].checked_at


@pytest.mark.parametrize(
    ("named", "jobs"),
    [("photos", ("photos-2099",)), (JOB, (JOB,)), ("photos", ()), ("photos-2018", ("photos-2019",))],
)
def test_a_check_of_no_photo_job_is_refused(client: Client, named: str, jobs: tuple[str, ...]) -> None:
    for job in ("photos-2018", "photos-2019"):
        client.api.add_job(JobRequest(job, "photos"))
    with pytest.raises(ApiError) as error:
        client.api.report_checks(named, checks_of(*jobs))
    assert code_of(error) == ErrorCode.UNKNOWN_JOB

"""Proof of origin: the service stores and returns it, and asks for it once a job has had one."""

from __future__ import annotations

import pytest

from tests.service.conftest import Service, later
from tests.service.uploading import MANIFEST, PREFIX, SIGNATURES, VOLUME_1, Laptop

PROOF = "0f" * 32
OTHER_SET = "inc.20261122T195500Z.to.20261123T195500Z"


@pytest.fixture
def laptop(service: Service) -> Laptop:
    return Laptop(service)


def put_set(laptop: Laptop) -> None:
    for name in (VOLUME_1, SIGNATURES):
        laptop.put(name)


def seal(laptop: Laptop, proof: str | None) -> None:
    """Stores a manifest as the PUT with these headers does, and tells the catalogue."""
    put_set(laptop)
    metadata = {"volumes": "1"} if proof is None else {"volumes": "1", "proof": proof}
    laptop.service.put(PREFIX + MANIFEST, b"manifest", Metadata=metadata)
    laptop.service.catalogue(PREFIX + VOLUME_1, PREFIX + SIGNATURES, PREFIX + MANIFEST)


def set_of_tomorrow(laptop: Laptop) -> tuple[str, str, str]:
    """The names of an increment of the next day: volume, signatures, manifest."""
    later(laptop.service, days=1)
    times = OTHER_SET.removeprefix("inc.")
    return (
        f"data_duplicity-{OTHER_SET}.vol1.difftar.gpg",
        f"meta_duplicity-new-signatures.{times}.sigtar.gpg",
        f"meta_duplicity-{OTHER_SET}.manifest.gpg",
    )


def proofs_since(laptop: Laptop) -> str | None:
    (job,) = laptop.service.call("GET", "/machine", token=laptop.token).body["jobs"]
    since: str | None = job.get("proofs_since")
    return since


def codes(service: Service) -> set[str]:
    return {finding["code"] for finding in service.admin("audit")["findings"]}


def kept_codes(service: Service) -> set[str]:
    """Of the findings as the events have left them, without a new audit."""
    return {finding["code"] for finding in service.admin("findings")["findings"]}


def test_the_proof_is_signed_into_the_manifests_put(laptop: Laptop) -> None:
    put_set(laptop)
    permit = laptop.ask(MANIFEST, b"manifest", set=list(laptop.members.values()), proof=PROOF)
    assert permit["headers"]["x-amz-meta-proof"] == PROOF
    assert "x-amz-meta-proof" in permit["url"], "S3 refuses the PUT without it, or with another"


def test_no_other_file_carries_one(laptop: Laptop) -> None:
    assert "x-amz-meta-proof" not in laptop.ask(VOLUME_1, proof=PROOF)["headers"]


@pytest.mark.parametrize("proof", ["", "0f" * 31, "0F" * 32, "0g" * 32, "0f" * 32 + "\n"])
def test_what_has_not_the_form_of_a_proof_is_refused(laptop: Laptop, proof: str) -> None:
    put_set(laptop)
    permit = laptop.ask(MANIFEST, b"manifest", set=list(laptop.members.values()), proof=proof)
    assert permit["error"] == "bad_proof"


def test_a_download_permit_gives_what_a_proof_is_checked_with(laptop: Laptop) -> None:
    seal(laptop, PROOF)
    names = [MANIFEST, SIGNATURES]
    answer = laptop.service.call("POST", "/jobs/system/downloads", {"names": names}, laptop.token)
    manifest, signatures = answer.body["files"]
    assert (manifest["proof"], manifest["volumes"]) == (PROOF, 1)
    assert len(manifest["sha256"]) == len(signatures["sha256"]) == 64
    assert "proof" not in signatures


def test_a_check_is_possible_when_the_days_downloads_are_used_up(laptop: Laptop) -> None:
    """Else a thief could use them up, and so have his set built on."""
    seal(laptop, PROOF)
    laptop.service.admin("machine_set", name="anna-laptop", download_cap_bytes=1)
    body = {"names": [MANIFEST, SIGNATURES]}
    answer = laptop.service.call("POST", "/jobs/system/downloads", body, laptop.token)
    assert [file["error"] for file in answer.body["files"]] == ["download_cap", "download_cap"]
    answer = laptop.service.call("POST", "/jobs/system/downloads", {**body, "facts_only": True}, laptop.token)
    manifest, signatures = answer.body["files"]
    assert (manifest["proof"], manifest["volumes"]) == (PROOF, 1)
    assert "sha256" in signatures
    assert "url" not in manifest


def test_the_first_proof_is_remembered_with_s3s_time(laptop: Laptop) -> None:
    assert proofs_since(laptop) is None
    seal(laptop, PROOF)
    stored_at = laptop.service.s3.head_object(
        Bucket="panicroom-test-000000000000-us-east-1", Key=PREFIX + MANIFEST
    )
    assert proofs_since(laptop) == stored_at["LastModified"].strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_client_that_cannot_sign_is_told_before_it_uploads_anything(laptop: Laptop) -> None:
    def oldest() -> str:
        version: str = laptop.service.call("GET", "/machine", token=laptop.token).body[
            "oldest_client_version"
        ]
        return version

    assert oldest() == "0.1.0"
    seal(laptop, PROOF)
    assert oldest() == "0.2.0"


def test_a_job_that_never_had_one_takes_sets_without(laptop: Laptop) -> None:
    seal(laptop, None)
    assert proofs_since(laptop) is None
    volume, signatures, manifest = set_of_tomorrow(laptop)
    laptop.members.clear()
    laptop.put(volume)
    laptop.put(signatures)
    assert "url" in laptop.ask(manifest, b"manifest", set=list(laptop.members.values()))


def test_after_the_first_proof_none_is_taken_without(laptop: Laptop) -> None:
    seal(laptop, PROOF)
    volume, signatures, manifest = set_of_tomorrow(laptop)
    laptop.members.clear()
    laptop.put(volume)
    laptop.put(signatures)
    members = list(laptop.members.values())
    refused = laptop.ask(manifest, b"manifest", set=members)
    assert refused["error"] == "proof_missing"
    assert "Upgrade panicroom" in refused["message"]
    assert "url" in laptop.ask(manifest, b"manifest", set=members, proof=PROOF)


def test_a_catalogue_that_was_lost_learns_it_from_the_bucket(laptop: Laptop) -> None:
    seal(laptop, PROOF)
    since = proofs_since(laptop)
    service = laptop.service
    for item in service.table.scan(TableName="panicroom-test")["Items"]:
        if item["pk"]["S"].startswith(("JOB#", "OBJECTS#")):
            service.table.delete_item(
                TableName="panicroom-test", Key={key: item[key] for key in ("pk", "sk")}
            )
    key = {"pk": {"S": "JOBS"}, "sk": {"S": "anna-laptop/system"}}
    service.table.update_item(TableName="panicroom-test", Key=key, UpdateExpression="REMOVE proofs_since")
    assert proofs_since(laptop) is None
    import app

    app.reconcile({"machine": "anna-laptop", "job": "system"}, None)
    assert proofs_since(laptop) == since


def test_a_set_without_a_proof_that_came_later_is_a_finding(laptop: Laptop) -> None:
    seal(laptop, PROOF)
    assert "unproved_set" not in codes(laptop.service)
    volume, signatures, manifest = set_of_tomorrow(laptop)
    for name in (volume, signatures, manifest):  # with AWS keys: no permit was asked for
        laptop.service.put(PREFIX + name, b"content")
    laptop.service.catalogue(*(PREFIX + name for name in (volume, signatures, manifest)))
    # moto stores all of this within a second, and gives whole seconds.
    (job_key,) = [{"pk": {"S": "JOBS"}, "sk": {"S": "anna-laptop/system"}}]
    laptop.service.table.update_item(
        TableName="panicroom-test",
        Key=job_key,
        UpdateExpression="SET proofs_since = :past",
        ExpressionAttributeValues={":past": {"S": "2026-01-01T00:00:00.000000Z"}},
    )
    assert "unproved_set" in codes(laptop.service)


def test_a_false_proof_that_the_client_reports_is_a_finding_until_the_set_is_in_quarantine(
    laptop: Laptop,
) -> None:
    seal(laptop, PROOF)
    service = laptop.service
    path = f"/jobs/system/runs/{laptop.run}"
    name = "full.20261122T195500Z"
    assert service.call("PATCH", path, {"false_proofs": [name]}, laptop.token).status == 200
    (finding,) = [one for one in service.admin("audit")["findings"] if one["code"] == "false_proof"]
    assert (finding["severity"], finding["machine"], finding["job"]) == ("critical", "anna-laptop", "system")
    assert f"python -m ops set quarantine anna-laptop system {name}" in finding["commands"]
    assert "python -m ops machine revoke anna-laptop" in finding["commands"]
    assert "false_proof" in kept_codes(service), "the mail of the next minute has it"
    service.admin("set_quarantine", name="anna-laptop", job="system", set=name)
    assert "false_proof" not in kept_codes(service)
    assert "false_proof" not in codes(service)


def test_a_client_that_finds_none_any_more_ends_the_finding(laptop: Laptop) -> None:
    seal(laptop, PROOF)
    path = f"/jobs/system/runs/{laptop.run}"
    laptop.service.call("PATCH", path, {"false_proofs": ["full.20261122T195500Z"]}, laptop.token)
    assert "false_proof" in codes(laptop.service)
    laptop.service.call("PATCH", path, {}, laptop.token)
    assert "false_proof" in codes(laptop.service), "it has not checked"
    laptop.service.call("PATCH", path, {"exit_code": 0, "false_proofs": []}, laptop.token)
    assert "false_proof" not in codes(laptop.service)


def test_what_names_no_set_is_refused(laptop: Laptop) -> None:
    path = f"/jobs/system/runs/{laptop.run}"
    answer = laptop.service.call("PATCH", path, {"false_proofs": ["<b>all of them</b>"]}, laptop.token)
    assert (answer.status, answer.error) == (400, "bad_request")

"""What must hold of sealed sets after every step, whoever took it.

When S3 takes a manifest, what the bucket holds of its set at that moment is written down. From then on the bucket
must hold exactly that, the listing must show exactly that, and the catalogue must say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.backups.names import SetId
from chalicelib.domain.sealing.order import check_follows
from tests.hostile import behind_gateway
from tests.hostile.honest_laptop import name_of
from tests.hostile.presigned_s3 import OK, PresignedS3, Stored, Upload
from tests.service.conftest import BUCKET


def belongs(name: str, set_id: str) -> bool:
    """Whether a file's name is one of that set's, whatever kind of file it is."""
    kind, _, times = set_id.partition(".")
    families = ("full.", "full-signatures.") if kind == "full" else ("inc.", "new-signatures.")
    return any(f"duplicity-{family}{times}." in name for family in families)


def _set_of_manifest(name: str) -> str:
    return name.removeprefix("meta_duplicity-").removesuffix(".manifest.gpg")


@dataclass
class SealedSet:
    """Names to versions, as they were when the manifest was taken; a jsonstat joins them later, once."""

    volumes: int
    files: dict[str, str]


@dataclass
class Vault(PresignedS3):
    """A machine's part of the bucket, with a memory. Checks raise ``AssertionError``."""

    machine: str = ""
    token: str = ""
    sealed: dict[str, SealedSet] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    """Names that were stored in a sealed set, beyond its end."""
    under_way: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """URLs of manifests, each with the manifest's name and when the URL lapses."""
    batches: int = 0
    seen: tuple[dict[str, str], bool] | None = None
    """What the last check found."""

    @property
    def prefix(self) -> str:
        return f"{self.machine}/system/"

    def names(self) -> dict[str, str]:
        """The newest version of each file that is there, by name."""
        return {key.removeprefix(self.prefix): version for key, version in self.current(self.prefix).items()}

    def listed(self) -> list[dict[str, Any]]:
        answer = behind_gateway.call("GET", "/jobs/system/files", token=self.token)
        assert answer.status == 200, answer
        files: list[dict[str, Any]] = answer.body["files"]
        return files

    def _store(self, key: str, body: bytes, headers: dict[str, str]) -> Stored:
        stored = super()._store(key, body, headers)
        name = key.removeprefix(self.prefix)
        if ".manifest." in name:
            self._note_seal(name, int(headers["x-amz-meta-volumes"]))
        elif ".vol" in name and any(belongs(name, set_id) for set_id in self.sealed):
            self.late.append(name)
            listed = [file["name"] for file in self.listed()]
            assert name not in listed, "hidden at once, before the catalogue hears of it"
        return stored

    def _note_seal(self, name: str, volumes: int) -> None:
        set_id = _set_of_manifest(name)
        assert set_id not in self.sealed, "a set is sealed once"
        check_follows(SetId.parse(set_id), {SetId.parse(other) for other in self.sealed})
        here = self.names()
        files = [
            *(name_of(set_id, number) for number in range(1, volumes + 1)),
            name_of(set_id, "signatures"),
            name,
        ]
        assert [one for one in files if one not in here] == [], "what the manifest promises is there"
        self.sealed[set_id] = SealedSet(volumes, {one: here[one] for one in files})

    def put(self, upload: Upload, body: bytes | None = None) -> Stored:
        stored = super().put(upload, body)
        if stored.status == OK:
            self.under_way.pop(upload.url, None)
        return stored

    # ------------------------------------------------------------ checks

    def permitted(self, name: str, url: str) -> None:
        """While a set is being sealed and ever after it gets no new name but its jsonstat's."""
        if ".manifest." in name:
            self.under_way[url] = (name, self.service.now + timedelta(seconds=30))
        elif ".jsonstat." not in name:
            sealing = [one for one, until in self.under_way.values() if self.service.now < until]
            sets = [*self.sealed, *map(_set_of_manifest, sealing)]
            assert not any(belongs(name, set_id) for set_id in sets), "no permission for what is sealed"

    def check(self, *, told: bool) -> None:
        """``told``: the catalogue knows of everything that has happened."""
        here = self.names()
        if self.seen == (here, told):
            return
        self.seen = here, told
        listed = {file["name"] for file in self.listed()}
        for set_id, sealed in self.sealed.items():
            members = {name: version for name, version in here.items() if belongs(name, set_id)}
            jsonstat = name_of(set_id, "jsonstat")
            if jsonstat in members:
                sealed.files.setdefault(jsonstat, members[jsonstat])
            beyond = set(members) - set(sealed.files)
            assert {name: members.get(name) for name in sealed.files} == sealed.files, "each file, as it was"
            assert beyond <= set() if told else beyond <= set(self.late), "and nothing more"
            assert {name for name in listed if belongs(name, set_id)} == set(sealed.files), (
                "as duplicity sees it"
            )
        if told:
            self._check_catalogue()

    def _check_catalogue(self) -> None:
        [job] = self.service.admin("machine_show", name=self.machine)["jobs"]
        told = {one["set"]: one for one in job["sets"]}
        for set_id, sealed in self.sealed.items():
            one = told[set_id]
            assert (one["sealed"], one["complete"], one["gaps"]) == (True, True, "")
            assert (one["volumes"], one["volumes_expected"]) == (sealed.volumes, sealed.volumes)

    def check_bytes(self) -> None:
        """Reads every sealed file back."""
        for sealed in self.sealed.values():
            for name, version in sealed.files.items():
                found = self.service.s3.get_object(Bucket=BUCKET, Key=self.prefix + name)
                assert (found["VersionId"], found["Body"].read()) == (
                    version,
                    self.contents[self.prefix + name, version],
                )

    def tell(self) -> None:
        """Brings the events of everything that has changed to the catalogue, and those of what it changes itself."""
        for _ in range(10):
            keys = [*self.told, *(self.prefix + name for names in self.service.discards for name in names)]
            if not keys:
                return
            self.told.clear()
            self.service.discards.clear()
            self.batches += 1
            failed = self.service.catalogue(*dict.fromkeys(keys), sequencer=f"{self.batches:016x}")
            assert failed == {"batchItemFailures": []}
        raise AssertionError("the catalogue's own changes come to an end")

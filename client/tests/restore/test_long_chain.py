"""A chain of many sets: what of its metadata is fetched, for a file and for a backup whose cache was lost."""

from __future__ import annotations

import shutil
import threading
import time
from datetime import datetime, timedelta, timezone

from laptop import PASSPHRASE, Laptop
from panicroom.duplicity_run.child.long_chain import is_ready

from bench.generated.chain import generate_chain

INCREMENTS = 130
FILE = "file-007"
"""Changed on the days 7 and 127, so that three sets have stored it."""


def test_a_file_costs_the_signatures_of_all_sets_and_manifests_and_volumes_of_three(laptop: Laptop) -> None:
    laptop.enrol()
    newest = (datetime.now(timezone.utc) - timedelta(hours=1)).replace(microsecond=0)
    gnupg = {"GNUPGHOME": str(laptop.gnupg)}
    for file in generate_chain(laptop.source, INCREMENTS, newest, gnupg, PASSPHRASE):
        laptop.service.store(file.name, file.data)
    fetched: list[str] = []
    probed = threading.Event()
    asked_too_late = threading.Event()

    def on_get(name: str) -> None:
        """Holds all but the first, by which the passphrase is tried, until the service is asked for proofs."""
        fetched.append(name)
        give_up_at = time.monotonic() + 20
        while probed.is_set() and not (laptop.service.facts_requests or asked_too_late.is_set()):
            if time.monotonic() > give_up_at:
                asked_too_late.set()
            time.sleep(0.01)
        probed.set()

    laptop.service.on_get = on_get

    def fetched_kinds() -> dict[str, int]:
        kinds = {kind: sum(kind in name for name in fetched) for kind in ("sigtar", "manifest", "vol")}
        fetched.clear()
        return kinds

    laptop.succeed("restore", FILE, "--to", str(laptop.home / "first"))
    assert not asked_too_late.is_set(), "the proofs are asked for while the signatures are fetched"
    assert (laptop.home / "first" / FILE).read_bytes() == (laptop.source / FILE).read_bytes()
    assert fetched_kinds() == {"sigtar": INCREMENTS + 1, "manifest": 3, "vol": 3}
    requests = laptop.service.download_requests
    laptop.succeed("restore", FILE, "--to", str(laptop.home / "second"))
    assert fetched_kinds() == {"sigtar": 0, "manifest": 0, "vol": 3}
    assert laptop.service.download_requests - requests <= 3, "who made the sets was asked before"

    shutil.rmtree(laptop.home / "cache")
    (laptop.source / FILE).write_bytes(b"changed")
    laptop.succeed("backup", "incremental")
    kinds = fetched_kinds()
    assert kinds["sigtar"] == INCREMENTS + 1
    assert kinds["manifest"] <= 2, "the newest one, and again by duplicity, which compares it"
    laptop.succeed("restore", FILE, "--to", str(laptop.home / "third"))
    assert (laptop.home / "third" / FILE).read_bytes() == b"changed"


def test_duplicity_fetches_metadata_itself_only_where_some_is_missing_or_left_over() -> None:
    full, inc = "20260101T000000Z", "20260101T000000Z.to.20260102T000000Z"
    stored = [
        f"meta_duplicity-full-signatures.{full}.sigtar.gpg",
        f"meta_duplicity-full.{full}.manifest.gpg",
        f"meta_duplicity-new-signatures.{inc}.sigtar.gpg",
        f"meta_duplicity-inc.{inc}.manifest.gpg",
        f"data_duplicity-full.{full}.vol1.difftar.gpg",
    ]
    here = [
        f"meta_duplicity-full-signatures.{full}.sigtar.gz",
        f"meta_duplicity-new-signatures.{inc}.sigtar.gz",
        f"meta_duplicity-inc.{inc}.manifest",
    ]
    left_over = "meta_duplicity-full-signatures.20250101T000000Z.sigtar.gz"
    assert is_ready(stored, here)
    assert is_ready(stored, [*here, f"meta_duplicity-full.{full}.manifest"])
    assert is_ready([], [])
    assert not any(is_ready(stored, here[:place] + here[place + 1 :]) for place in range(len(here)))
    assert not is_ready(stored, [*here, left_over])
    assert not is_ready(stored, [*here, f"meta_duplicity-inc.{inc}.manifest.part"])
    begun = "20260102T000000Z.to.20260103T000000Z"
    assert is_ready(stored, [*here, f"meta_duplicity-inc.{begun}.manifest.part"])

"""The backend ``panicroom://machine/job``: duplicity's files through the service, straight to and from S3.

An error that our own transport has given up on ends the process (``Events.stop``): duplicity's retries
could only repeat it, and it takes a refused delete for a reason to try for ever.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from duplicity import config, errors, log, tempdir
from duplicity.backend import Backend

from panicroom.api import UNREACHABLE, Api, ApiError, batches
from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.plan import ChildPlan
from panicroom.exit_codes import ExitCode
from panicroom.names import parse_name, sealed_sets
from panicroom.origin import SetEvidence, proof_of
from panicroom.transfer.bandwidth import RateLimit
from panicroom.transfer.downloader import Downloader, NotReadable
from panicroom.transfer.journal import Journal, StoredFile
from panicroom.transfer.uploader import Uploader, measure
from panicroom.wire import ErrorCode, SetMember


class ServiceBackend(Backend):  # type: ignore[misc]  # duplicity carries no types
    """duplicity's view of one job. ``uploader`` and ``run`` are None where nothing may be written.

    ``prove`` gives the proof of origin of a set that is about to be sealed. Files of ``hidden_sets`` are not listed.
    """

    def __init__(
        self,
        parsed_url: Any,
        *,
        api: Api,
        job: str,
        events: Events,
        run: str | None,
        uploader: Uploader | None,
        journal: Journal | None,
        before_volume: Callable[[str, int], None],
        at_end: Callable[[], None],
        prove: Callable[[SetEvidence], str | None] = lambda _evidence: None,
        hidden_sets: frozenset[str] = frozenset(),
        before_manifest: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(parsed_url)
        self._api, self._job, self._events = api, job, events
        self._run, self._uploader, self._journal = run, uploader, journal
        self._before_volume, self._before_manifest, self._at_end = before_volume, before_manifest, at_end
        self._prove, self._hidden_sets = prove, hidden_sets
        self._last_volume = 0
        self._sizes: dict[str, int] = {}
        self._downloader = Downloader(
            api,
            job,
            self._path_ahead,
            lambda count: events.send("received", bytes=count),
            lambda seconds: events.send("waiting", seconds=seconds),
        )

    def _path_ahead(self, _name: str) -> Path:
        """Where a file is put that is fetched before duplicity asks for it."""
        return Path(os.fsdecode(tempdir.default().mktemp()))  # duplicity clears it away

    def _put(self, source_path: Any, remote_filename: bytes) -> None:
        name = os.fsdecode(remote_filename)
        source = Path(os.fsdecode(source_path.name))
        with self._ends_on_failure():
            uploader = self._writing()
            parsed = parse_name(name)
            if parsed is not None and parsed.volume is not None:
                self._last_volume = parsed.volume
                self._before_volume(name, source.stat().st_size)
                uploader.hand_over(source, name)
            elif parsed is not None and parsed.kind == "manifest":
                uploader.wait()
                self._before_manifest()
                self._seal(uploader, source, name, parsed.set)
            else:
                uploader.store(source, name)

    def _validate(self, remote_filename: bytes, size: int, **_more: Any) -> tuple[bool, str]:
        """True for what S3 has confirmed, and for what is in the spool: the manifest waits for that."""
        name = os.fsdecode(remote_filename)
        with self._ends_on_failure():
            uploader = self._writing()
            found = uploader.size_of(name)
            uploader.raise_failure()
        if found == size:
            return True, ""
        return False, f"{name} has {size} bytes here and {found} there"

    def _list(self) -> list[str]:
        """What is stored. Whoever only reads sees finished sets only: duplicity would stumble over one that a
        killed run left open, or restore half of it. A restore has no use for signatures, the largest of the
        metadata; a listing of files is made from them.
        """
        with self._ends_on_failure():
            if self._uploader is not None:
                self._uploader.wait()
            self._sizes = {file.name: file.size for file in self._api.files(self._job)}
        names = [name for name in self._sizes if not self._is_hidden(name)]
        if self._uploader is not None:
            return names
        sealed = sealed_sets(names)
        kinds = {"volume", "manifest"}
        if config.action not in ("restore", "verify"):
            kinds.add("signatures")
        parsed = ((name, parse_name(name)) for name in names)
        return [name for name, file in parsed if file and file.set in sealed and file.kind in kinds]

    def _query(self, filename: bytes) -> dict[str, int]:
        name = os.fsdecode(filename)
        with self._ends_on_failure():
            sizes = {file.name: file.size for file in self._api.files(self._job)}
        return {"size": sizes.get(name, -1)}

    def _delete_list(self, filenames: list[bytes]) -> None:
        names = [os.fsdecode(filename) for filename in filenames]
        with self._ends_on_failure():
            for batch in batches(names):
                answer = self._api.discards(self._job, self._run or "", batch)
                if answer.refused:
                    first = answer.refused[0]
                    raise self._events.stop(
                        ExitCode.DISCARD_REFUSED,
                        f"the service keeps {first.name}, which duplicity wanted to delete: {first.message}",
                    )

    def _delete(self, filename: bytes) -> None:
        self._delete_list([filename])

    def pre_process_download_batch(self, remote_filenames: list[bytes]) -> None:
        names = [os.fsdecode(name) for name in remote_filenames]
        self._events.send("expected", bytes=sum(self._sizes.get(name, 0) for name in names))
        with self._ends_on_failure():
            self._downloader.announce(names)

    def _get(self, remote_filename: bytes, local_path: Any) -> None:
        name = os.fsdecode(remote_filename)
        with self._ends_on_failure():
            try:
                self._downloader.fetch(name, Path(os.fsdecode(local_path.name)))
            except NotReadable as archived:
                self._events.send("archived", name=name)
                state = "is being thawed" if archived.thawing else "is archived and has to be thawed first"
                raise self._events.stop(ExitCode.TRY_LATER, f"{name} {state}; try again later") from None
            except ApiError as failure:
                if failure.code != ErrorCode.NOT_FOUND:
                    raise
                raise errors.BackendException(
                    f"{name} is not stored", code=log.ErrorCode.backend_not_found
                ) from None

    def _close(self) -> None:
        if self._uploader is not None:
            log.Notice(self._uploader.tally())
        self._at_end()
        self._downloader.close()
        self._api.close()

    def _seal(self, uploader: Uploader, manifest: Path, name: str, set_name: str) -> None:
        """Stores the manifest, with the list of its set's files and the proof that this machine made them."""
        volumes, signatures = self._stored(set_name, "volume"), self._stored(set_name, "signatures")
        # The service knows what is stored, and cannot know what should be: a last volume leaves no gap.
        numbers = {parsed.volume for file in volumes if (parsed := parse_name(file.name))}
        if numbers != set(range(1, self._last_volume + 1)) or not signatures:
            raise ApiError(ErrorCode.SET_INCOMPLETE, "the journal lacks a file that the set consists of")
        evidence = SetEvidence(
            set_name, len(volumes), measure(manifest)[0], tuple(file.sha256 for file in signatures)
        )
        members = tuple(SetMember(file.name, file.size, file.etag) for file in (*volumes, *signatures))
        uploader.store(manifest, name, members, self._prove(evidence))

    def _stored(self, set_name: str, kind: str) -> list[StoredFile]:
        """The set's files of that kind as S3 confirmed them, in this run or an earlier one, by name."""
        assert self._journal is not None
        chosen = [
            file
            for file in self._journal.read().stored.values()
            if file.set == set_name and (named := parse_name(file.name)) and named.kind == kind
        ]
        return sorted(chosen, key=lambda file: file.name)

    def _is_hidden(self, name: str) -> bool:
        parsed = parse_name(name)
        return parsed is not None and parsed.set in self._hidden_sets

    def _writing(self) -> Uploader:
        if self._uploader is None:
            raise self._events.stop(ExitCode.INTERNAL, "this command must not write to the backup")
        return self._uploader

    @contextmanager
    def _ends_on_failure(self) -> Iterator[None]:
        try:
            yield
        except ApiError as failure:
            if failure.code in (ErrorCode.SET_INCOMPLETE, ErrorCode.SET_SEALED):
                # The bucket holds other than the journal says: a fresh look decides what to do.
                raise self._events.stop(ExitCode.START_AGAIN, failure.message) from None
            problem = failure.as_problem()
            message = str(problem)
            if failure.code == UNREACHABLE and self._uploader is not None:
                message += "; what was stored is kept, the next run carries on from there"
            raise self._events.stop(problem.exit_code, message) from None
        except OSError as error:
            raise self._events.stop(ExitCode.SPACE, f"the spool cannot be written: {error}") from None


def patient_api(plan: ChildPlan, token: str, events: Events) -> Api:
    """Waits for a lost network, and reports how long it does."""
    api = Api(plan.url, token)
    api.outlast_the_network(lambda seconds: events.send("waiting", seconds=seconds))
    return api


def make_backend(
    parsed_url: Any,
    *,
    plan: ChildPlan,
    token: str,
    events: Events,
    proof_key: str | None = None,
    journal: Journal | None = None,
    before_volume: Callable[[str, int], None] = lambda _name, _size: None,
    before_manifest: Callable[[], None] = lambda: None,
    at_end: Callable[[], None] = lambda: None,
) -> ServiceBackend:
    """The backend of a plan; it writes if the plan has a run, and signs the set if there is a key (in hex)."""
    api = patient_api(plan, token, events)

    def prove(evidence: SetEvidence) -> str | None:
        machine = token.partition(".")[0]
        return proof_of(bytes.fromhex(proof_key), machine, plan.job, evidence) if proof_key else None

    return ServiceBackend(
        parsed_url,
        api=api,
        job=plan.job,
        events=events,
        run=plan.run,
        uploader=_uploader(plan, api, events, journal),
        journal=journal,
        before_volume=before_volume,
        before_manifest=before_manifest,
        at_end=at_end,
        prove=prove,
        hidden_sets=frozenset(plan.hidden_sets),
    )


def _uploader(plan: ChildPlan, api: Api, events: Events, journal: Journal | None) -> Uploader | None:
    """None where the plan has no run: then nothing may be written."""
    if plan.run is None or plan.spool is None or journal is None:
        return None
    return Uploader(
        api,
        plan.job,
        plan.run,
        journal,
        Path(plan.spool),
        threads=plan.upload_threads,
        limit=RateLimit(plan.max_upload_rate),
        on_sent=lambda count: events.send("sent", bytes=count),
        on_stored=lambda file: events.send("stored", name=file.name, size=file.size, etag=file.etag),
    )

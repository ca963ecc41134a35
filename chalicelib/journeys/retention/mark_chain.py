"""Marks the files of a chain that was let go: tag first, then the delete marker; repeatable from the listing.

The chain is hidden before, so a run that is cut off anywhere leaves nothing that others could take amiss; the next one
lists what is left, and goes on. Manifests go first: whoever reads the bucket without the service sees sets that were
never finished, which duplicity passes over, rather than finished ones with holes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from chalicelib.adapters.s3_versions import MOST_A_REQUEST, FileVersions, VersionStore
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import METADATA_PREFIX, SetId, parse_file_name
from chalicelib.domain.retention.let_go import LetGo


def mark_chain(versions: VersionStore, job: Job, let_go: LetGo, goes_on: Callable[[], bool]) -> bool:
    """Whether all of it is marked; False where ``goes_on`` ended it before. Raises ``RefusedByS3``.

    A call that goes on with what another one left tags old versions again, which changes nothing.
    """
    wanted = frozenset(let_go.sets)
    for prefix in (METADATA_PREFIX, ""):
        files = _files_of(versions.files(job.location, prefix), wanted)
        while block := list(itertools.islice(files, MOST_A_REQUEST)):
            if not goes_on():
                return False
            versions.tag(job.location, [file for file in block if not (prefix == "" and _is_done(file))])
            versions.mark_deleted(job.location, [file.name for file in block if not file.is_marked])
    return True


def _is_done(file: FileVersions) -> bool:
    """Whether the pass over the metadata has had it."""
    return file.is_marked and file.name.startswith(METADATA_PREFIX)


def _files_of(files: Iterable[FileVersions], wanted: frozenset[SetId]) -> Iterator[FileVersions]:
    for file in files:
        parsed = parse_file_name(file.name)
        if parsed is not None and parsed.set_id in wanted and file.versions:
            yield file

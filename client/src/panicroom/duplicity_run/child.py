"""The process that is duplicity: the real thing, with a backend and the cure for its resume put in.

The client starts its own executable with ``PANICROOM_CHILD`` naming a plan (``ChildPlan``) and with
duplicity's arguments; so ``sys.argv`` is what duplicity expects, a restart of itself by ``execve`` included.

What is changed in duplicity 3.2.1, and why (backup/resume.py has the whole story):

- ``backend.import_backends`` does nothing: fifty unused backends take longer than a small increment.
- ``diffdir.DirDelta_WriteSig`` and ``dup_temp.get_fileobj_duppath`` are watched, to write into the journal
  how far signatures and manifest reach when a volume is finished.
- On a resumed run the local signatures go on where they were cut, instead of being made from today's files,
  and an increment does not read them as if they were an earlier set's (``SignatureChain.get_fileobjs``);
  ``diffdir.collate2iters``, the one place where all files pass, drops what the kept volumes hold
  already and what has changed since the set began.
- ``gpg.GPGFile`` starts the gpg of the next file while this one is written (gpg_ahead.py).
- ``os.execve`` ends the process, for the client to look at the bucket again and start another.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from panicroom.duplicity_run import gpg_ahead
from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.file_identity import changed_since, has_changed, identity_of
from panicroom.duplicity_run.journal import Journal, MadeVolume
from panicroom.exit_codes import ExitCode
from panicroom.names import parse_name

_PROGRESS_SECONDS = 0.3

PLAN_VARIABLE = "PANICROOM_CHILD"
TOKEN_VARIABLE = "PANICROOM_TOKEN"  # noqa: S105


@dataclass(frozen=True)
class ResumePoint:
    """Where a resumed set goes on: the last volume that is kept ends here."""

    set: str
    began_at: float
    open_file: str | None
    open_identity: tuple[int, ...] | None

    @staticmethod
    def after(volume: MadeVolume) -> ResumePoint:
        return ResumePoint(volume.set, volume.began_at, volume.open_file, volume.open_identity)


@dataclass(frozen=True)
class ChildPlan:
    """What the client hands to its duplicity process; no secrets (those are in the environment)."""

    url: str
    job: str
    source: str | None = None
    run: str | None = None
    journal: str | None = None
    spool: str | None = None
    upload_threads: int = 4
    max_upload_rate: int | None = None
    resume: ResumePoint | None = None
    events_descriptor: int | None = None
    lock_descriptor: int | None = None

    def to_text(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_text(text: str) -> ChildPlan:
        data = json.loads(text)
        if data["resume"] is not None:
            identity = data["resume"]["open_identity"]
            data["resume"]["open_identity"] = None if identity is None else tuple(identity)
            data["resume"] = ResumePoint(**data["resume"])
        return ChildPlan(**data)


def main() -> NoReturn:
    """Runs duplicity on ``sys.argv``; never returns."""
    began_at = time.time()  # before duplicity reads anything
    plan = ChildPlan.from_text(os.environ[PLAN_VARIABLE])
    token = os.environ.pop(TOKEN_VARIABLE)  # gpg has no use for it
    for descriptor in (plan.events_descriptor, plan.lock_descriptor):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # gpg, and the agent it leaves behind, must not hold them
    events = Events(plan.events_descriptor)
    _end_with_the_client()
    if plan.run is not None:
        _step_back()

    from duplicity import __main__ as duplicity_main
    from duplicity import backend, log

    watch = _Watch(plan, token, events, began_at)
    watch.install()
    backend.import_backends = lambda: None
    backend.uses_netloc.append("panicroom")
    backend.register_backend("panicroom", watch.make_backend)
    os.execve = _start_again(events)
    # Without it a line with a name that is no text is lost from a listing.
    logging.FileHandler = functools.partial(logging.FileHandler, errors="surrogateescape")  # type: ignore[misc,assignment]
    log.setup()
    _exit(duplicity_main.dup_run)


def _exit(run: Callable[[], None]) -> NoReturn:
    """Runs duplicity and ends the process with its code, at once: after an error duplicity leaves a thread
    waiting for a gpg that waits for input, and an orderly end would wait for that thread for ever."""
    code: object = ExitCode.INTERNAL
    try:
        run()
        code = ExitCode.DONE
    except SystemExit as end:
        code = end.code or ExitCode.DONE
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else ExitCode.INTERNAL)


def _step_back() -> None:
    """A backup by hand is in nobody's way either; a timer's has the lowest priority of all already. gpg has ours."""
    with contextlib.suppress(OSError):
        os.nice(5)
    if shutil.which("ionice"):
        subprocess.run(
            ["ionice", "-c", "best-effort", "-n", "7", "-p", str(os.getpid())],
            capture_output=True,
            check=False,
        )


def _end_with_the_client() -> None:
    """The client holds the other end of our standard input: when that closes, it is gone, however it died.

    A backup that goes on without its client would upload while the next run resumes the same set.
    """

    def watch() -> None:
        while os.read(0, 1):
            pass
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(ExitCode.INTERRUPTED)

    threading.Thread(target=watch, name="client-watch", daemon=True).start()


def _start_again(events: Events) -> Any:
    def execve(*_arguments: object) -> NoReturn:
        raise events.stop(ExitCode.START_AGAIN, "duplicity starts the set over")

    return execve


def unescaped(text: str) -> str:
    """The path that duplicity's ``util.escape`` was given."""
    return text[1:-1].encode("ascii", "replace").decode("unicode-escape")


class _Watch:
    """Sees what duplicity makes, keeps the journal, and steers a resumed run."""

    def __init__(self, plan: ChildPlan, token: str, events: Events, began_at: float) -> None:
        self._plan, self._token, self._events = plan, token, events
        self._began_at = plan.resume.began_at if plan.resume else began_at
        self._journal = Journal(Path(plan.journal)) if plan.journal else None
        self._blocks: Any = None
        self._signatures: Any = None
        self._signatures_before = 0
        self._manifest: Any = None
        self._end_spare_gpg: Callable[[], None] = lambda: None

    def install(self) -> None:
        """Puts everything in; once, before duplicity runs."""
        from duplicity import diffdir, dup_temp

        delta, open_local = diffdir.DirDelta_WriteSig, dup_temp.get_fileobj_duppath

        def watched_delta(*arguments: Any) -> Any:
            self._blocks = delta(*arguments)
            return self._blocks

        def watched_open(*names: Any, overwrite: bool = False) -> Any:
            return self._open_local(open_local, names, overwrite)

        diffdir.DirDelta_WriteSig = watched_delta
        dup_temp.get_fileobj_duppath = watched_open
        self._steer_resume()
        self._tell_what_is_skipped()
        threading.Thread(target=self._tell_what_is_read, name="progress", daemon=True).start()

    def _tell_what_is_skipped(self) -> None:
        """duplicity says so among its warnings only, and goes on."""
        from duplicity import diffdir, log

        warn, give_up = log.Warn, diffdir.delta_iter_error_handler
        codes = log.WarningCode.cannot_iterate, log.WarningCode.cannot_stat, log.WarningCode.cannot_read

        def watched_warn(text: str, code: int = log.WarningCode.generic, extra: str | None = None) -> None:
            warn(text, code, extra)
            if code in codes and extra:
                self._skipped(unescaped(extra), "it cannot be read, or is gone")
            elif text.startswith("Error listing directory "):
                self._skipped(text.removeprefix("Error listing directory "), "it cannot be listed")

        def watched_give_up(error: Exception, now: Any, before: Any, *more: Any) -> Any:
            path = os.fsdecode((now or before).get_relative_path())
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._skipped(str(Path(self._plan.source or "", path)), reason)
            return give_up(error, now, before, *more)

        log.Warn = watched_warn
        diffdir.delta_iter_error_handler = watched_give_up

    def _skipped(self, path: str, reason: str) -> None:
        if self._plan.run is not None:
            self._events.send("skipped", path=path, reason=reason)

    def _tell_what_is_read(self) -> None:
        from duplicity import diffdir

        told = -1
        while True:
            time.sleep(_PROGRESS_SECONDS)
            read = int(diffdir.stats.SourceFileSize) if diffdir.stats is not None else told
            if read != told:
                told = read
                self._events.send("read", bytes=read)
        self._end_spare_gpg = gpg_ahead.install()

    def _steer_resume(self) -> None:
        from duplicity import config, diffdir, dup_collections, dup_main

        collate, position = diffdir.collate2iters, dup_main.restart_position_iterator
        earlier_signatures = dup_collections.SignatureChain.get_fileobjs

        def watched_collate(first: Any, second: Any) -> Iterator[tuple[Any, Any]]:
            pairs = collate(first, second)
            if self._signatures is None:  # a restore passes here as well
                yield from pairs
            if config.restart:
                pairs = self._what_is_left(pairs, config.restart)
            for pair in pairs:
                if pair[0] and not pair[0].type:
                    self._skipped(os.fsdecode(pair[0].name), "it was gone when its turn came")
                self._signatures_before = self._signatures.tell()
                yield pair

        def resumed_position(blocks: Any) -> None:
            # Without an open file the first block is the first one needed. duplicity would take it for a
            # missing file, put it back, and forget its name in the manifest's range of the volume.
            if config.restart.last_block:
                position(blocks)

        def earlier_only(chain: Any, time: int | None = None) -> Any:
            # A resumed increment counts its own unfinished signatures among the earlier ones, and would
            # take a file for unchanged because it has just written that file's new signature itself.
            if time is None and config.restart:
                time = config.restart.start_time
            return earlier_signatures(chain, time)

        diffdir.collate2iters = watched_collate
        dup_main.restart_position_iterator = resumed_position
        dup_collections.SignatureChain.get_fileobjs = earlier_only

    def _open_local(self, open_local: Any, names: tuple[Any, ...], overwrite: bool) -> Any:
        """Opens one of duplicity's local files of the set; signatures go on where they were cut."""
        from duplicity import file_naming

        _folder, partial_name, *_others = names
        parsed = file_naming.parse(partial_name)
        if parsed.type in ("full-sig", "new-sig"):
            self._signatures = open_local(*names, overwrite=False)
            return self._signatures
        file = open_local(*names, overwrite=overwrite)
        if parsed.manifest:
            self._manifest = file
        return file

    def make_backend(self, parsed_url: Any) -> Any:
        from panicroom.api import RUNNING_SECONDS, Api
        from panicroom.duplicity_run.backend import ServiceBackend
        from panicroom.transfer.bandwidth import RateLimit
        from panicroom.transfer.uploader import Uploader

        plan = self._plan
        api = Api(plan.url, self._token, patience_seconds=RUNNING_SECONDS)
        uploader = None
        if plan.run is not None and plan.spool is not None and self._journal is not None:
            uploader = Uploader(
                api,
                plan.job,
                plan.run,
                self._journal,
                Path(plan.spool),
                plan.upload_threads,
                RateLimit(plan.max_upload_rate),
                on_sent=lambda count: self._events.send("sent", bytes=count),
                on_stored=lambda file: self._events.send("stored", name=file.name, size=file.size),
            )
        return ServiceBackend(
            parsed_url,
            api=api,
            job=plan.job,
            events=self._events,
            run=plan.run,
            uploader=uploader,
            journal=self._journal,
            before_volume=self._made,
            at_end=self._at_end,
        )

    def _made(self, name: str, size: int) -> None:
        """A volume is finished: writes down how far the local files reach at this moment.

        The signature of a file that is still open may be there already, since librsync reads ahead; the
        resumed run writes it again, so it does not count.
        """
        parsed = parse_name(name)
        if self._journal is None or parsed is None or parsed.volume is None:
            return
        index, next_block = self._blocks.get_previous_index()
        open_file = b"/".join(index) if index and next_block else None
        identity = None
        if open_file is not None and self._plan.source is not None:
            identity = identity_of(Path(self._plan.source) / os.fsdecode(open_file))
        self._journal.made(
            MadeVolume(
                name=name,
                set=parsed.set,
                volume=parsed.volume,
                signature_bytes=self._signatures_before if open_file else self._signatures.tell(),
                manifest_bytes=self._manifest.tell(),
                began_at=self._began_at,
                source=self._plan.source or "",
                open_file=None if open_file is None else open_file.hex(),
                open_identity=identity,
            )
        )
        self._events.send("made", name=name, bytes=size)

    def _what_is_left(self, pairs: Iterable[tuple[Any, Any]], restart: Any) -> Iterator[tuple[Any, Any]]:
        """Of all (path now, path in the signatures): those that the rest of the set has to hold.

        Dropping a pair means "as in the set before", for the volumes and for the signatures alike.
        """
        point = self._plan.resume
        if point is None:
            raise self._events.stop(ExitCode.START_AGAIN, "the set cannot be resumed")
        left_out = 0
        for now, before in pairs:
            index = (now or before).index
            if index < restart.last_index or (index == restart.last_index and not restart.last_block):
                continue
            if index == restart.last_index:
                # Its first blocks are stored. It is read again from its beginning, for its signature.
                self._check_open_file(point)
                yield now, before
                self._check_open_file(point)
            elif (
                now
                and now.stat
                and not now.isdir()
                and changed_since(now.stat.st_ctime, now.stat.st_mtime, point.began_at)
            ):
                left_out += 1
            else:
                yield now, before
        self._events.send("left_out", files=left_out)

    def _check_open_file(self, point: ResumePoint) -> None:
        if point.open_file is None or self._plan.source is None:
            raise self._events.stop(ExitCode.START_AGAIN, "the journal does not know the open file")
        path = Path(self._plan.source) / os.fsdecode(bytes.fromhex(point.open_file))
        if has_changed(path, point.began_at, point.open_identity):
            raise self._events.stop(ExitCode.START_AGAIN, "the open file has changed")

    def _at_end(self) -> None:
        from duplicity import diffdir

        self._end_spare_gpg()
        if diffdir.stats is not None:
            numbers = {
                name: value
                for name in diffdir.stats.stat_attrs
                if isinstance(value := diffdir.stats.get_stat(name), (int, float))
            }
            self._events.send("statistics", numbers=numbers)

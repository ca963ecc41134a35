"""What each command prints with ``--json``: which dataclass, and what stands beside its fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from panicroom import wire as client_wire
from panicroom.reading.files import StoredPath
from panicroom.setup.health.check_result import CheckResult

from chalicelib import fleet_wire as fleet
from chalicelib import owner_wire as owner
from chalicelib.domain.audit.findings import Finding
from chalicelib.rendering import Mail
from ops.commands.page import PageWritten
from ops.demo.run import DemoResult
from ops.local.stack_file import StackDescription
from ops.local.thaw_hook import RestoreCalls
from ops.owner_page.content import OwnerPage
from ops.service.reconcile import Reconciliation


@dataclasses.dataclass(frozen=True)
class PrintedAnswer:
    """``shape`` is a dataclass whose fields are printed, ``more`` has names and meanings of what stands beside them.
    ``many``: a list of such; ``lines``: one a line as they come. ``when`` says of which form of the command it is."""

    shape: type | None = None
    more: Mapping[str, str] = dataclasses.field(default_factory=dict)
    many: bool = False
    lines: bool = False
    when: str = ""
    anything: bool = False
    """The fields are not always the same ones: ``more`` says so."""


ADDRESSES = {
    "api_url": "text: where a machine enrols",
    "client_url": "text, on AWS: where it fetches the client for a day, with its digest",
    "client_requirements_url": "text, on AWS: the digests of what the client needs",
}
_DROPPED = {
    "removed": "whole number: versions that were deleted",
    "removed_bytes": "whole number",
    "held": "whole number: versions that Object Lock keeps",
    "held_bytes": "whole number",
    "held_until": "time or null",
}
_SURVEY = {
    "files": "whole number",
    "versions": "whole number, older ones included",
    "bytes": "whole number",
    "fee_usd": "number, or null where the price is not known: AWS's fee for what leaves before its minimum stay",
    "locked": "whole number: versions that Object Lock keeps",
    "locked_bytes": "whole number",
    "locked_until": "time or null",
}
_CHECKS = {"checks": "list of `title` (text), `ok` (true or false), `wrong` (list of text)"}
_LETTERS = "list of `message_id`, `receive_count`, `sent_at`, `age_seconds`, `about`, `malformed`"
_PLAN = {
    "as_of": "time: the backup that is meant",
    "newest": "true or false: it is the newest one",
    "files": "whole number",
}
_RESTORED = {
    "event": "`restored`; before it come the lines of progress that the client's README lists",
    "to": "text: the folder",
    "files": "whole number",
    "bytes": "whole number",
    "as_of": "time: the backup that was restored",
    "newest": "true or false: it is the newest one",
    "differing": "list of `path`, `reason`, `newest`, `restored`: what is not as in that backup",
    "missing": "list of text: paths that are not in it",
    "notes": "list of text",
    "unusable": "null, or `set`, `reason`, `advice`: a backup that could not be opened",
}
_THAW = "[ThawPlan](#thawplan) or null: what comes out of the archive, and its price"

OF_OWNER: Mapping[str, tuple[PrintedAnswer, ...]] = {
    "deploy": (
        PrintedAnswer(
            more={
                "stage": "text",
                "changes": "object: the steps, each with a list of what was changed",
                **_CHECKS,
                **ADDRESSES,
                "code": "text: where the first machine was added",
                "recovery_code": "text: likewise",
                "about": "list of text: likewise, with `--photos`",
            },
            anything=True,
        ),
        PrintedAnswer(
            more={"stage": "text", "settings": "object: what was chosen", "changes": "object: as above"},
            when="--plan",
        ),
        PrintedAnswer(more={"Version": "text", "Statement": "list: an IAM policy"}, when="--policy"),
    ),
    "doctor": (PrintedAnswer(more=_CHECKS),),
    "local up": (PrintedAnswer(StackDescription),),
    "local status": (
        PrintedAnswer(
            StackDescription,
            {
                "running": "true or false; where it does not run, that is all",
                "clock_ahead_seconds": "whole number",
            },
            anything=True,
        ),
    ),
    "local clock": (PrintedAnswer(more={"clock_ahead_seconds": "whole number"}),),
    "local thaw freeze": (PrintedAnswer(more={"moved": "whole number: volumes"}),),
    "local thaw finish": (PrintedAnswer(more={"finished": "whole number: volumes"}),),
    "local thaw expire": (PrintedAnswer(more={"expired": "whole number: volumes"}),),
    "local thaw delay": (PrintedAnswer(more={"delay_seconds": "number"}),),
    "local thaw lose-events": (PrintedAnswer(more={"lose_events": "true or false"}),),
    "local thaw fail": (
        PrintedAnswer(
            more={
                "code": "text",
                "status": "whole number",
                "times": "whole number",
                "tier": "text or null",
            }
        ),
    ),
    "local thaw calls": (PrintedAnswer(RestoreCalls),),
    "status": (PrintedAnswer(fleet.FleetStatus),),
    "machine add": (
        PrintedAnswer(
            owner.MachineAdded, {**ADDRESSES, "estimates": "list, with `--size`: what it would cost"}
        ),
        PrintedAnswer(fleet.AddedOfMany, ADDRESSES, many=True, when="--from"),
        PrintedAnswer(
            more={
                "found": "list of text",
                "changes": "list of text",
                "findings": "list of [Finding](#finding)",
            },
            when="--plan",
        ),
    ),
    "machine list": (PrintedAnswer(owner.MachineListing),),
    "machine show": (PrintedAnswer(owner.MachineShown),),
    "machine set": (
        PrintedAnswer(owner.MachineShown),
        PrintedAnswer(fleet.MachineResult, many=True, when="--group without a name"),
    ),
    "machine rotate": (
        PrintedAnswer(owner.MachineAdded, ADDRESSES),
        PrintedAnswer(fleet.MachineResult, ADDRESSES, many=True, when="--group"),
    ),
    "machine recount": (PrintedAnswer(owner.StoredCount),),
    "machine pause": (
        PrintedAnswer(owner.MachineChanged),
        PrintedAnswer(fleet.MachineResult, many=True, when="--group"),
    ),
    "machine resume": (
        PrintedAnswer(owner.MachineChanged),
        PrintedAnswer(fleet.MachineResult, many=True, when="--group"),
    ),
    "machine recovery": (PrintedAnswer(owner.RecoveryMade),),
    "machine revoke": (
        PrintedAnswer(owner.MachineChanged),
        PrintedAnswer(fleet.MachineResult, many=True, when="--group"),
    ),
    "machine remove": (PrintedAnswer(owner.MachineChanged),),
    "machine drop": (
        PrintedAnswer(fleet.MachineDropped, _DROPPED),
        PrintedAnswer(fleet.MachineDropPlan, _SURVEY, when="--plan"),
    ),
    "group add": (PrintedAnswer(fleet.GroupShown),),
    "group list": (PrintedAnswer(fleet.GroupListing),),
    "group show": (PrintedAnswer(fleet.GroupShown),),
    "group set": (PrintedAnswer(fleet.GroupChanged),),
    "group remove": (PrintedAnswer(fleet.GroupChanged),),
    "journal": (PrintedAnswer(fleet.JournalListing),),
    "set quarantine": (PrintedAnswer(owner.Quarantined),),
    "set bring-back": (PrintedAnswer(more={"brought_back": "list of text: files"}),),
    "retention undo": (PrintedAnswer(owner.UndoEnded),),
    "retention drop": (PrintedAnswer(owner.LetGoRow),),
    "retention preview": (PrintedAnswer(owner.RetentionListing),),
    "retention approve": (PrintedAnswer(owner.RetentionListing),),
    "retention hold": (PrintedAnswer(owner.RetentionListing),),
    "retention run": (PrintedAnswer(owner.RetentionRan),),
    "thaw list": (PrintedAnswer(owner.ThawListing),),
    "thaw approve": (PrintedAnswer(owner.ThawRow),),
    "thaw deny": (PrintedAnswer(owner.ThawRow),),
    "report preview": (PrintedAnswer(Mail),),
    "report send": (PrintedAnswer(owner.ReportSent),),
    "report status": (PrintedAnswer(owner.ReportStatus),),
    "page": (PrintedAnswer(PageWritten),),
    "recovery-sheets": (PrintedAnswer(OwnerPage),),
    "prices refresh": (
        PrintedAnswer(
            more={
                "region": "text",
                "changes": "list: each price with `before` and `after`",
                "kept": "list of text: prices that were not found, and stay",
                "file": "text",
            },
            many=True,
        ),
    ),
    "audit": (
        PrintedAnswer(owner.AuditAnswer),
        PrintedAnswer(owner.AuditAnswer, {"fixed": "list of text: what was done"}, when="--fix"),
    ),
    "alerts preview": (PrintedAnswer(owner.AlertPreview),),
    "alerts send": (PrintedAnswer(owner.AlertSent),),
    "reconcile": (PrintedAnswer(Reconciliation),),
    "dead-letters list": (PrintedAnswer(more={"messages": _LETTERS}),),
    "dead-letters replay": (PrintedAnswer(more={"replayed": "whole number", "left": _LETTERS}),),
    "demo": (PrintedAnswer(DemoResult),),
}

OF_MACHINE: Mapping[str, tuple[PrintedAnswer, ...]] = {
    "enrol": (
        PrintedAnswer(
            more={
                "machine": "text",
                "settings": "text: the file; null where it did not come to its end",
                "recovery_code": "text or null: shown this once",
            }
        ),
    ),
    "backup": (
        PrintedAnswer(
            more={"event": "text; the client's README lists the events and their fields"}, lines=True
        ),
    ),
    "restore": (
        PrintedAnswer(more=_RESTORED, lines=True),
        PrintedAnswer(
            more={
                **_PLAN,
                "most_bytes": "whole number",
                "volumes": "list of `set`, `numbers`, `bytes`",
                "lost": "list of `path`, `reason`",
                "missing": "list of text",
                "thaw": _THAW,
            },
            when="--dry-run",
        ),
    ),
    "status": (
        PrintedAnswer(
            client_wire.MachineStatus,
            {
                "exit_code": "whole number: how the command ends",
                "age_seconds": "of each job: whole number, or null where there is no backup",
            },
        ),
    ),
    "files": (PrintedAnswer(StoredPath, many=True),),
    "versions": (
        PrintedAnswer(
            more={
                "time": "time",
                "set": "text",
                "kind": "`full` or `inc`",
                "new, changed, deleted": "whole numbers or null: paths",
                "files": "whole number or null",
                "size_bytes": "whole number or null",
                "stored_bytes": "whole number",
                "archived": "true or false",
                "folder": "text: with several folders of pictures",
            },
            many=True,
        ),
    ),
    "cost": (
        PrintedAnswer(
            more={
                **_PLAN,
                "volumes": "whole number",
                "bytes": "whole number",
                "month_usd": "number or null: what keeping it costs a month",
                "thaw": _THAW,
            }
        ),
    ),
    "drill": (
        PrintedAnswer(
            more={
                "event": "`drill`",
                "job": "text",
                "outcome": "`passed`, `failed`, `asked` or `skipped`",
                "exit_code": "whole number",
                "files": "list of `path`, `as_of`, `set`, `bytes`",
                "bytes": "whole number",
                "volumes": "list of text",
                "message": "text",
                "path": "text or null: what failed",
            }
        ),
    ),
    "photos check": (
        PrintedAnswer(
            more={
                "event": "`checked`",
                "job": "text",
                "files, bytes": "whole numbers: what is there",
                "hashed_files, hashed_bytes": "whole numbers: what of it was read as it is now",
                "since": "whole number or null: seconds since 1970; all of that was read then or later",
                "is_whole": "true or false: all of it was read",
                "read_files": "whole number: now",
                "rotted": "list of `path`, `good_at` (seconds since 1970), `commands`",
                "unreadable": "list of `path`, `reason`, `is_damage`",
                "rewritten, repaired": "whole numbers",
            },
            lines=True,
        ),
    ),
    "doctor": (PrintedAnswer(CheckResult, many=True),),
}

SHAPES_BESIDE = (Finding, client_wire.ThawPlan)
"""Shapes that only a text above names."""

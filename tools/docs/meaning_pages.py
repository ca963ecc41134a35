"""The pages about findings, errors and exit codes."""

from __future__ import annotations

from panicroom.exit_codes import EXPLANATIONS, ExitCode

from chalicelib.domain.audit.codes.code import Code, Concern
from chalicelib.domain.audit.finding_codes import CODES
from chalicelib.domain.refusals import STATUS_OF
from chalicelib.wire import ErrorCode
from tools.docs.command_pages import MADE
from tools.docs.error_meanings import MEANINGS
from tools.docs.settings_page import table_of

CONCERNS = {
    Concern.SETS: "Backups",
    Concern.OBJECTS: "Files in the bucket",
    Concern.BUCKET: "Settings of a bucket",
    Concern.THAWS: "Thaws",
    Concern.DRILLS: "Drills",
    Concern.RETENTION: "Letting old backups go",
    Concern.PHOTOS: "Pictures",
    Concern.MACHINE: "Things that happened",
}


def findings_page() -> str:
    parts = [
        f"# What can be wrong\n\n{MADE}",
        "Each finding has a code that does not change. *Critical*: something cannot be restored, or will not be.",
        "*Warning*: it costs money, or hides what happens. What is *mailed at once* comes within minutes, other",
        "critical findings once an hour at most, warnings once a day. All stay in the weekly mail until gone.\n",
    ]
    for concern, title in CONCERNS.items():
        kinds = sorted(
            (kind for kind in CODES.values() if kind.concern is concern), key=lambda kind: kind.code
        )
        parts.append(f"## {title}\n")
        parts += [_finding(kind) for kind in kinds]
    return "\n".join(parts)


def _finding(kind: Code) -> str:
    marks = kind.severity.value + (", mailed at once" if kind.is_safety or kind.is_awaited else "")
    title = f"{kind.title[0].upper()}{kind.title[1:]} ({marks})."
    return f"### {kind.code}\n\n{title} {kind.meaning}\n\n*What to do:* {kind.advice}\n"


def errors_page() -> str:
    unexplained = [code.value for code in ErrorCode if code not in MEANINGS]
    if unexplained:
        raise LookupError(f"tools/docs/error_meanings.py does not explain {', '.join(unexplained)}")
    rows = [
        (f"`{code.value}`", str(STATUS_OF[code]), MEANINGS[code])
        for code in sorted(ErrorCode, key=lambda code: code.value)
    ]
    return "\n".join(
        [
            f"# Errors of the API\n\n{MADE}",
            (
                'Every refusal is `{"error": code, "message": what to do}`, with `retry_after_seconds` where waiting'
                " helps. The message names the file, set or machine of the case. Where one file of a batch is refused,"
                " the others are answered all the same.\n"
            ),
            table_of(("code", "HTTP", "means"), rows),
            (
                "API Gateway answers some calls before the service sees them: 401 without a token, 403 with one that is"
                " not accepted or for a route that is not there, 429 for too many calls at once. Those have a `message`"
                " only.\n"
            ),
        ]
    )


def exit_codes_page() -> str:
    rows = [(str(int(code)), said) for code, said in EXPLANATIONS.items() if code != ExitCode.START_AGAIN]
    return "\n".join(
        [
            f"# Exit codes\n\n{MADE}",
            "## panicroom\n",
            table_of(("code", "means"), rows),
            "`panicroom duplicity` ends with duplicity's own code.\n",
            "## python -m ops\n",
            table_of(
                ("code", "means"),
                [
                    ("0", "done"),
                    ("1", "not done; one line says why and what to do. Of `audit`: there are warnings"),
                    ("2", "the command line is wrong. Of `audit`: something critical was found"),
                ],
            ),
        ]
    )

"""The page about settings and variables."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import panicroom
from panicroom.places import Places
from panicroom.setting_values import SETTING_NAMES
from panicroom.setup.settings_file import write_settings

from chalicelib import config
from ops.functions.chalice_config import function_environment
from ops.stages import LOCAL
from tools.docs.command_pages import MADE

CLIENT_VARIABLES = {
    "PASSPHRASE": "wins over the stored passphrase",
    "RECOVERY_CODE": "for `recover`, and for `recovery-sheet --code`: the recovery code",
    "NEW_PASSPHRASE": "at `passphrase change --yes`: the new passphrase",
    "PANICROOM_KEYRING": "`file`: at `enrol`, keep secrets in a private file though there is a keyring",
    "PANICROOM_CONFIG_DIR": "another folder for the settings",
    "PANICROOM_STATE_DIR": "another folder for the log and what must survive",
    "PANICROOM_CACHE_DIR": "another folder for what can be made again",
    "PANICROOM_WITHOUT": "names of speed patches to leave out, with commas between: for measuring what each saves",
}

SERVICE_VARIABLES = {
    "PANICROOM_STAGE": "what the stage is called",
    "PANICROOM_BUCKET": "the service's own bucket",
    "PANICROOM_TABLE": "the table of machines, jobs, sets and findings",
    "PANICROOM_QUEUE": "the queue of S3's events",
    "PANICROOM_QUEUE_ARN": "the same queue, as a bucket's notifications name it",
    "PANICROOM_DEAD_LETTER_QUEUE": "where SQS puts events that could not be catalogued",
    "PANICROOM_SENDER": "the address that mail comes from",
    "PANICROOM_RECIPIENTS": "the owner's addresses, with commas between",
    "PANICROOM_TIME_ZONE": "the owner's time zone, for the hour of the weekly mail and for times in it",
    "PANICROOM_REPORT_WEEKDAY": "the day of the weekly mail",
    "PANICROOM_REPORT_HOUR": "its hour, 0 to 23",
    "PANICROOM_MONTHLY_BUDGET": "USD a month, such as `5`; empty for none",
    "PANICROOM_JOB_METRICS": "`yes`: each job has a metric of its own, at $0.30 a month",
    "PANICROOM_DISCARD_FUNCTION": "the one function that may write delete markers",
    "PANICROOM_LET_GO_FUNCTION": "the function that lets old backups go",
    "PANICROOM_THAW_FUNCTION": "the one function that may ask S3 for archived files",
    "PANICROOM_CLOCK_AHEAD_SECONDS": "on the local stack alone: `python -m ops local clock` sets its clock ahead",
    "AWS_STS_REGIONAL_ENDPOINTS": "who calls is asked of the STS of the functions' own region",
    "POWERTOOLS_SERVICE_NAME": "the service's name in log lines",
    "POWERTOOLS_LOG_LEVEL": "how much is logged",
}


def settings_page() -> str:
    """The client's settings file as ``enrol`` writes it, and every variable that client and functions read."""
    template = _settings_file()
    missing = [name for name in client_setting_names() if not re.search(rf"(?m)^(# )?{name} =", template)]
    if missing:
        raise LookupError(f"the settings file that enrol writes does not explain {', '.join(missing)}")
    set_by_us = function_environment(LOCAL)
    names = _names_in(Path(config.__file__).read_text(), "environment") | set(set_by_us)
    unexplained = (names - set(SERVICE_VARIABLES) - {"AWS_REGION"}) | (
        _client_variables() - set(CLIENT_VARIABLES)
    )
    if unexplained:
        raise LookupError(f"tools/docs/settings_page.py does not explain {', '.join(sorted(unexplained))}")
    client_rows = [(f"`{name}`", said) for name, said in CLIENT_VARIABLES.items()]
    service_rows = [
        (f"`{name}`", said, f"`{set_by_us[name]}`" if set_by_us.get(name) else "")
        for name, said in SERVICE_VARIABLES.items()
        if name in names
    ]
    return "\n".join(
        [
            f"# Settings\n\n{MADE}",
            "## A machine that backs up\n",
            (
                "`panicroom.toml`, as `panicroom enrol` writes it. What stands behind a `#` is what holds where nothing"
                " is set.\n"
            ),
            f"```toml\n{template.strip()}\n```\n",
            (
                "How often, how much later is still well, where things are stored and for how long is set by the owner"
                " with `python -m ops machine set`.\n"
            ),
            "Variables of the environment:\n",
            table_of(("variable", "does"), client_rows),
            "## The functions\n",
            "Written when the service is deployed; nobody edits these.\n",
            table_of(("variable", "what it is", "on the local stack"), service_rows),
        ]
    )


def _settings_file() -> str:
    """What ``enrol`` leaves on a laptop."""
    with tempfile.TemporaryDirectory() as folder:
        place = Places(Path(folder), Path(folder), Path(folder))
        url = "https://abc123.execute-api.eu-central-1.amazonaws.com/api"
        sources = {"system": Path("/home/anna")}
        pictures = {"photos": Path("/home/anna/Pictures")}
        write_settings(place, url, "anna-laptop", "keyring", sources, families=pictures)
        return place.settings_file.read_text(encoding="utf-8")


def client_setting_names() -> list[str]:
    """The names that the client reads from its file, as its code has them."""
    return sorted({name for names in SETTING_NAMES.values() for name in names})


def _names_in(source: str, variable: str) -> set[str]:
    return set(re.findall(rf'{variable}(?:\.get\(|\[)"([A-Z_]+)"', source))


def _client_variables() -> set[str]:
    sources = [path.read_text() for path in Path(panicroom.__file__).parent.rglob("*.py")]
    asked = {name for source in sources for name in _names_in(source, "os.environ")}
    asked |= {name for source in sources for name in re.findall(r'\bplace\("([A-Z_]+)"', source)}
    ours = {
        name for name in asked if name in ("PASSPHRASE", "NEW_PASSPHRASE") or name.startswith("PANICROOM_")
    }
    return ours - {"PANICROOM_CHILD"}


def table_of(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]
    return "\n".join(lines) + "\n"

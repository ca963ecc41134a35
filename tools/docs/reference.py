"""``python -m tools.docs.reference`` writes ``docs/reference``, and the tables of prices and their picture in ``docs``,
from the code.

A test compares what is committed with what this makes, so that neither can go stale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from panicroom.cli import cli as panicroom_cli

from bench.years.picture import ten_years_picture
from ops.cli import commands
from ops.deploy.deployer_policy import deployer_policy
from ops.functions.package import PROJECT
from ops.stages import Stage
from tools.docs import openapi
from tools.docs.command_pages import MADE, commands_page
from tools.docs.json_page import json_page
from tools.docs.man_page import share_files
from tools.docs.meaning_pages import errors_page, exit_codes_page, findings_page
from tools.docs.price_examples import choice_blocks, photo_blocks, price_blocks, table_of
from tools.docs.settings_page import settings_page
from tools.docs.thaw_examples import thaw_blocks

FOLDER = Path("docs/reference")
PRICES = Path("docs/prices.md")
HOW_TO = Path("docs/how-to.md")
RESTORE = Path("docs/restore.md")
PHOTOS = Path("docs/photos.md")
TEN_YEARS = Path("docs/images/ten-years.svg")
PICTURED_REGION = "us-east-1"


def generated_files(project: Path = PROJECT) -> dict[Path, str]:
    """Every generated document: path in the project -> text."""
    pages = {
        "owner-commands.md": commands_page(
            "The owner's commands",
            "python -m ops",
            commands,
            "With AWS credentials, from a clone.",
        ),
        "machine-commands.md": commands_page(
            "The commands of a machine that backs up",
            "panicroom",
            panicroom_cli,
            "On the laptop or server.",
        ),
        "settings.md": settings_page(),
        "findings.md": findings_page(),
        "deployer-policy.md": deployer_policy_page(),
        "errors.md": errors_page(),
        "exit-codes.md": exit_codes_page(),
        "json.md": json_page(),
        "openapi.json": json.dumps(openapi.description(), indent=1) + "\n",
    }
    files = {FOLDER / name: text for name, text in pages.items()} | share_files()
    files[TEN_YEARS] = ten_years_picture(table_of(PICTURED_REGION))
    tables = {PRICES: price_blocks(), HOW_TO: choice_blocks(), RESTORE: thaw_blocks(), PHOTOS: photo_blocks()}
    for path, blocks in tables.items():
        files[path] = with_blocks((project / path).read_text(encoding="utf-8"), blocks)
    return files


def with_blocks(text: str, blocks: Mapping[str, str]) -> str:
    """The document with what stands between ``<!-- table: NAME -->`` and ``<!-- end -->`` made anew."""
    for name, block in blocks.items():
        before, marker, rest = text.partition(f"<!-- table: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not (marker and end):
            raise LookupError(f"the document has no place for the table {name}")
        text = f"{before}{marker}\n{block}\n{end}{after}"
    return text


def write(project: Path = PROJECT) -> None:
    for path, text in generated_files(project).items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, encoding="utf-8")


def deployer_policy_page() -> str:
    """The policy for an example account; the command prints it for one's own."""
    stage = Stage(
        name="home",
        account="111122223333",
        region="eu-central-1",
        sender="ada@example.org",
        recipients=("ada@example.org",),
    )
    policy = json.dumps(deployer_policy(stage), indent=2)
    return "\n".join(
        [
            f"# What whoever deploys may do\n\n{MADE}",
            "The smallest IAM policy for `python -m ops deploy`, `doctor` and `destroy`: here for the stage `home` in",
            "account 111122223333. `python -m ops deploy --stage home --policy` prints it for your own.",
            "By itself it reads and deletes no backup ([what its holder can do all the",
            "same](../security.md#what-whoever-deploys-can-do)); `destroy --with-data` needs more.",
            "The tests deploy with no more.\n",
            f"```json\n{policy}\n```\n",
        ]
    )


if __name__ == "__main__":
    write()

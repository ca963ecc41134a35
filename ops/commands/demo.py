"""``python -m ops demo``: the main job from end to end."""

from __future__ import annotations

from pathlib import Path

import click

from ops.commands.arguments.options import console, json_option, print_json
from ops.demo.run import DEMO_FOLDER, failure_sentence, run_demo
from ops.demo.thaw_one_file import ThawedFile
from ops.environments import complaint_about_gpg
from ops.errors import OpsError
from ops.local.stack import LocalStack
from ops.steps import Steps, silent_steps


@click.command()
@click.option(
    "--source",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of your own to back up, which is only read.  [default: Python's standard library]",
)
@json_option
def demo(source: Path | None, as_json: bool) -> None:
    """Back up two machines, change files, back up again, get the mail, restore, compare, thaw one file.

    It begins with an empty local stack and leaves it up.
    """
    complaint = complaint_about_gpg()
    if complaint:
        raise OpsError(complaint)
    summary = run_demo(source, silent_steps() if as_json else Steps(console), local=LocalStack())
    if as_json:
        print_json(summary)
    failure = failure_sentence(summary)
    if failure:
        raise OpsError(failure)
    if not as_json:
        console.print(
            f"\n{len(summary.sets)} sets in {summary.volumes} volumes, {summary.bytes / 2**20:.0f} MB;"
            f" {summary.files_restored} files restored, no difference.\n"
            f"{_thaw_sentence(summary.thawed)}\n"
            f"The mail: “{summary.mail_subject}”, in {_shown(DEMO_FOLDER)}/mail.html\n"
            "The local stack is up: `python -m ops machine list` asks it, `python -m ops local down` ends it.",
            markup=False,
        )


def _thaw_sentence(thawed: ThawedFile) -> str:
    volumes = f"{thawed.volumes} of {thawed.archived_volumes} volumes"
    return (
        f"From Deep Archive: {thawed.path}, by thawing {volumes}. On AWS that is ${thawed.usd:.4f}, and ready within"
        " 48 hours."
    )


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

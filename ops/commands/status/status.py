"""The command ``status``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console, RenderableType

from chalicelib.domain.fleet.verdict import EXIT_CODES
from chalicelib.fleet_wire import FleetStatus
from chalicelib.wire import WireError
from ops.commands.arguments.aws_errors import AWS_ERRORS, as_ops_error
from ops.commands.arguments.machine_cells import table_console
from ops.commands.arguments.options import console, print_json, stage_options
from ops.commands.status.metrics import prometheus_text, write_metrics
from ops.commands.status.shown import show_status
from ops.commands.status.watch import watch as watch_status
from ops.errors import OpsError
from ops.service.admin_client import AdminClient, admin_client

NOT_ASKED = 3
"""The exit code where the state could not be asked for: what Nagios calls UNKNOWN."""

PRINTED = "-"
SHORTEST_WATCH = 5
USUAL_WATCH = "30"


@click.command()
@click.option("--all", "every", is_flag=True, help="Show every machine and every reason.")
@click.option(
    "--prometheus",
    metavar="[FILE]",
    is_flag=False,
    flag_value=PRINTED,
    help="Print metrics, or write FILE for the text folder of Prometheus's node exporter (its name must end with"
    " .prom).",
)
@click.option(
    "--watch",
    metavar="[SECONDS]",
    is_flag=False,
    flag_value=USUAL_WATCH,
    type=click.IntRange(min=SHORTEST_WATCH),
    help="Show it again every 30 seconds, or every SECONDS, until Ctrl-C.",
)
@stage_options
@click.pass_context
def status(
    context: click.Context,
    every: bool,
    prometheus: str | None,
    watch: int | None,
    stage: str,
    state_folder: Path,
    as_json: bool,
) -> None:
    """Show every machine, the worst first, what is wrong, and what to type.

    Ends with 0 if all is well, 1 if somebody should look, 2 if something is bad (a job is overdue, or a critical
    finding is open), 3 if the service could not be asked. With --prometheus it ends with 0 once it has an answer.
    """
    if sum((prometheus is not None, watch is not None, as_json)) > 1:
        raise click.UsageError("Choose one of --json, --prometheus and --watch.")
    if watch is not None and not console.is_terminal:
        raise click.UsageError("--watch needs a terminal: without one use --json or --prometheus.")
    try:
        client = admin_client(stage, state_folder)
        if watch is not None:
            _watch(client, stage, watch, every=every)
            return
        answer = _ask(client)
    except (OpsError, *AWS_ERRORS) as error:
        # On the output that Nagios reads, unless a program reads that.
        click.echo(f"UNKNOWN: {as_ops_error(error)}", err=as_json or prometheus is not None)
        context.exit(NOT_ASKED)
    if prometheus is not None:
        _give_metrics(prometheus_text(answer), prometheus)
        return
    if as_json:
        print_json(answer)
    else:
        target = table_console()
        shown = show_status(answer, stage=stage, every=every, columns=target.width)
        target.print(shown, soft_wrap=False, crop=False)
    context.exit(EXIT_CODES[answer.verdict])


def _watch(client: AdminClient, stage: str, seconds: int, *, every: bool) -> None:
    folding = Console(highlight=False)  # the usual one leaves long lines to the terminal

    def show(answer: FleetStatus) -> RenderableType:
        return show_status(answer, stage=stage, every=every, columns=folding.width, fold=True)

    watch_status(folding, lambda: _ask(client), show, seconds)


def _ask(client: AdminClient) -> FleetStatus:
    """Raises ``OpsError``."""
    try:
        return client.ask(FleetStatus, "status")
    except AWS_ERRORS as error:
        raise as_ops_error(error) from error
    except WireError as error:
        raise OpsError(
            f"The service is of another version than this clone ({error}): deploy it first."
        ) from error


def _give_metrics(text: str, where: str) -> None:
    if where == PRINTED:
        click.echo(text, nl=False)
    else:
        write_metrics(Path(where), text)

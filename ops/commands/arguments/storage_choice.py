"""Which class a job's volumes go to: the options, both sums when a machine is added, and what a change does."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from decimal import Decimal

import click

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.storage import (
    CLASS_OF_NAME,
    StoragePolicy,
    chosen_policy,
    needs_thaw,
)
from chalicelib.domain.costs.price_table import PriceTable, PriceUnknown
from chalicelib.domain.mail.cost_amounts import CLASS_NAMES
from chalicelib.domain.mail.phrases import count, format_bytes, format_money
from chalicelib.owner_wire import JobPlace, MachineShown
from chalicelib.wire import JobStatus
from ops.commands.arguments.options import DAYS, say
from ops.errors import OpsError
from ops.resources.lifecycle import has_adopted_rule, put_adopted_rules
from ops.service.admin_client import AdminClient
from ops.service.deployed_stage import DeployedStage
from ops.storage_costs import DEEP_FROM_BYTES, MB, FirstBackup, everything_back, month, storage_by_size

storage_option = click.option(
    "--storage",
    type=click.Choice(list(CLASS_OF_NAME)),
    help="Where volumes go: `standard` for nowhere, `instant` (Glacier Instant Retrieval), `flexible` (Glacier Flexible"
    " Retrieval) or `deep` (Glacier Deep Archive).",
)
after_option = click.option(
    "--after", type=DAYS, help="With --storage: after how many days they move, 7d if nothing is said."
)


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a first backup costs in one class, in USD; ``None`` where a price is not known. ``wait_hours`` at most until
    all of it can be read."""

    storage: str
    monthly: str | None
    everything_back: str | None
    wait_hours: int


def chosen_storage(storage: str | None, after: int | None) -> StoragePolicy | None:
    """The policy that the two options name. Raises ``click.UsageError`` with what there is to choose."""
    if storage is None:
        if after is not None:
            raise click.UsageError("--after goes with --storage.")
        return None
    try:
        return chosen_policy(storage, after)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def storage_arguments(policy: StoragePolicy | None) -> dict[str, str | int | None]:
    """The arguments of the service's functions."""
    if policy is None:
        return {}
    return {"storage": policy.name, "storage_after_days": policy.archive_after_days if policy.moves else None}


def policy_for(chosen: StoragePolicy | None, size_bytes: int | None) -> StoragePolicy | None:
    """What is asked of the service: the owner's choice, or by the size; ``None`` for the service's default."""
    return chosen or (storage_by_size(size_bytes) if size_bytes is not None else None)


def estimates(region: str, backup: FirstBackup, chosen: StoragePolicy) -> list[Estimate]:
    """For Glacier Instant Retrieval, Deep Archive and the chosen class."""
    table = _prices(region)
    names = dict.fromkeys(("instant", "deep", chosen.name))
    return [_estimate(table, backup, name) for name in names] if table else []


def show_estimates(
    region: str, backup: FirstBackup, chosen: StoragePolicy, costs: Sequence[Estimate], reason: str
) -> None:
    """Both sums, and which is taken."""
    size, table = format_bytes(backup.size_bytes), _prices(region)
    if table is None:
        say(f"What {size} cost is not known: there are no prices of {region} here.")
    else:
        volumes = f"volumes of {backup.volume_bytes // MB} MB"
        say(f"{size} in {volumes}, at AWS's prices of {region} of {table.as_of}, before tax:")
    for cost in costs:
        wait = f"to be read within {cost.wait_hours} hours" if cost.wait_hours else "readable at once"
        say(
            f"  {cost.storage}: {_usd(cost.monthly)} a month; everything back {_usd(cost.everything_back)}, {wait}"
        )
    say(f"Volumes {policy_shown(chosen)}, {reason}. `--storage` chooses another.")


def reason_of(named: StoragePolicy | None, size_bytes: int, *, photos: bool) -> str:
    """Why the class is taken, as the end of a sentence."""
    if named is not None:
        return "as you chose"
    if photos:
        return "as pictures are read once in many years, if ever"
    return f"as it is {'less than' if size_bytes < DEEP_FROM_BYTES else 'at least'} {format_bytes(DEEP_FROM_BYTES)}"


def policy_shown(policy: StoragePolicy) -> str:
    """``move to Glacier Deep Archive 7 days after their upload (deep)``."""
    if not policy.moves:
        return "stay in Standard (standard)"
    name, days = CLASS_NAMES[policy.archive_class], policy.archive_after_days
    when = f"{count(days, 'day')} after their upload" if days else "as they are uploaded"
    return f"move to {name} {when} ({policy.name})"


def policy_of(job: JobStatus | JobPlace) -> StoragePolicy:
    return StoragePolicy(job.archive_class, job.archive_after_days)


def check_followed(jobs: Sequence[JobStatus | JobPlace], names: Sequence[str], policy: StoragePolicy) -> None:
    """Raises ``OpsError`` where an older service has passed over the policy of the named jobs."""
    if any(policy_of(job) != policy for job in jobs if job.job in names):
        raise OpsError(
            "The service is older than this clone and knows no storage policies yet: deploy it first."
        )


def follow_change(
    deployed: DeployedStage, client: AdminClient, answer: MachineShown, job: str | None, policy: StoragePolicy
) -> list[str]:
    """What a new policy means, in sentences; the rules in buckets that were there before follow it.

    Raises ``OpsError`` as ``check_followed`` does.
    """
    named = [one.job for one in answer.jobs if job in (None, one.job, one.family)]
    check_followed(answer.jobs, named, policy)
    return follow_places(deployed, client.jobs(), {answer.machine}, named, policy=policy)


def follow_places(
    deployed: DeployedStage,
    places: Sequence[JobPlace],
    machines: Collection[str],
    jobs: Collection[str] | None = None,
    *,
    policy: StoragePolicy | None = None,
) -> list[str]:
    """Has the rules of buckets that were there before follow what now holds for these jobs (all where ``jobs`` is
    missing) of these machines, and says so; also what ``policy`` means, where one was named. Can be repeated.

    ``places`` are all of the stage's jobs.
    """
    changed = [place for place in places if place.machine in machines and (jobs is None or place.job in jobs)]
    is_in_own_bucket = any(one.bucket == deployed.stage.bucket for one in changed)
    sentences = _means(policy, is_in_own_bucket=is_in_own_bucket) if policy else []
    adopted = dict.fromkeys(one.bucket for one in changed if one.bucket != deployed.stage.bucket)
    in_bucket = {bucket: [place for place in places if place.bucket == bucket] for bucket in adopted}
    return sentences + [_follow_in_adopted(deployed, bucket, its) for bucket, its in in_bucket.items()]


def _means(policy: StoragePolicy, *, is_in_own_bucket: bool) -> list[str]:
    """In sentences."""
    sentences = [f"From now on, new volumes {policy_shown(policy)}."]
    if needs_thaw(policy.archive_class):
        sentences.append(
            "What has moved is restored after a thaw of hours; `panicroom restore` shows its price first."
        )
    if is_in_own_bucket:
        sentences.append(
            "What is stored already stays with the policy that it was stored under: no command moves it."
        )
    return sentences


def _follow_in_adopted(deployed: DeployedStage, bucket: str, places: Sequence[JobPlace]) -> str:
    """Only where this service has written a rule; ``places`` are all of the stage's jobs in the bucket."""
    s3, stage, jobs = deployed.aws.client("s3"), deployed.stage, [_job(place) for place in places]
    if not has_adopted_rule(s3, bucket, stage, jobs):
        return (
            f"In {bucket}, which was there before the service, rules of your own move volumes: `python -m ops audit`"
            " says which of them do otherwise."
        )
    put_adopted_rules(s3, bucket, stage, jobs)
    return (
        f"In {bucket}, which was there before the service, the rule goes by names and not by tags: it moves what is"
        " stored already as well."
    )


def _job(place: JobPlace) -> Job:
    return Job(place.machine, place.job, place.location, storage=policy_of(place))


def _prices(region: str) -> PriceTable | None:
    """``None`` where they do not say what a restore costs either."""
    table = price_table(region)
    return table if table and table.knows("transfer-out") else None


def _estimate(table: PriceTable, backup: FirstBackup, name: str) -> Estimate:
    storage_class = CLASS_OF_NAME[name]
    back = everything_back(table, backup, storage_class)
    hours = round(back.wait.total_seconds() / 3600)
    try:
        monthly: Decimal | None = month(table, backup, storage_class)
    except PriceUnknown:
        monthly = None
    return Estimate(name, _cents(monthly), _cents(back.cost), hours)


def _cents(usd: Decimal | None) -> str | None:
    return None if usd is None else str(usd.quantize(Decimal("0.01")))


def _usd(cents: str | None) -> str:
    return "at a price not known" if cents is None else format_money(Decimal(cents))

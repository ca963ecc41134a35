"""Puts adapters together from the settings; each is built once in the life of a function's process.

What only reports, alerts, audits and the owner's commands need is imported where they are put together: the other
functions start in two thirds of the time without it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from chalicelib.adapters.client_folder import ClientFolder
from chalicelib.adapters.functions.discard_function import DiscardFunction
from chalicelib.adapters.functions.thaw_function import ThawFunction
from chalicelib.adapters.s3_buckets import PARALLEL_REQUESTS, Buckets
from chalicelib.adapters.stores.cap_store import CapStore
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.fleet.journal_store import JournalStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
from chalicelib.adapters.stores.report_store import ReportStore
from chalicelib.adapters.stores.retention.retention_store import RetentionStore
from chalicelib.adapters.stores.run_store import RunStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.adapters.table import Table
from chalicelib.config import ServiceConfig, read_settings
from chalicelib.journeys.authenticate import Caller
from chalicelib.journeys.catalogue.catalogue_context import CatalogueContext
from chalicelib.journeys.downloads.issue_download_urls import DownloadContext
from chalicelib.journeys.uploads.upload_context import UploadContext

if TYPE_CHECKING:
    from chalicelib.adapters.alerts_topic import AlertsTopic
    from chalicelib.adapters.bucket_settings import SettingsReader
    from chalicelib.adapters.caller_identity import CallerIdentity
    from chalicelib.adapters.dead_letters import DeadLetters
    from chalicelib.adapters.functions.let_go_function import LetGoFunction
    from chalicelib.adapters.s3_archive import Archive
    from chalicelib.adapters.ses_mailer import Mailer
    from chalicelib.adapters.stores.fleet.drop_store import DropStore
    from chalicelib.adapters.stores.fleet.group_store import GroupStore
    from chalicelib.domain.costs.price_table import PriceTable
    from chalicelib.journeys.admin.request import AdminContext
    from chalicelib.journeys.audit_buckets import AuditContext
    from chalicelib.journeys.retention.retention_context import RetentionContext
    from chalicelib.journeys.send_alerts import AlertContext
    from chalicelib.journeys.send_weekly_report import ReportContext
    from chalicelib.journeys.thaws.thaw_context import ThawContext, ThawWorker


@functools.cache
def settings() -> ServiceConfig:
    return read_settings()


@functools.cache
def _table() -> Table:
    return Table(boto3.resource("dynamodb").meta.client, settings().table)


@functools.cache
def _s3() -> Any:
    # Without both options us-east-1 gives SigV2 URLs, and other regions the global host. A custom endpoint (the
    # local stack) has no names for buckets, and botocore falls back to paths by itself only for IP addresses.
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual"},
        max_pool_connections=PARALLEL_REQUESTS + 2,
    )
    client = boto3.client("s3", config=config)
    if not client.meta.endpoint_url.endswith("amazonaws.com"):
        config = config.merge(Config(s3={"addressing_style": "path"}))
        client = boto3.client("s3", config=config)
    return client


@functools.cache
def buckets() -> Buckets:
    return Buckets(_s3())


@functools.cache
def client_folder() -> ClientFolder:
    return ClientFolder(_s3(), settings().bucket)


@functools.cache
def archive() -> Archive:
    from chalicelib.adapters.s3_archive import Archive

    return Archive(_s3())


@functools.cache
def machine_store() -> MachineStore:
    return MachineStore(_table())


@functools.cache
def catalogue_store() -> CatalogueStore:
    return CatalogueStore(_table())


@functools.cache
def journal_store() -> JournalStore:
    return JournalStore(_table())


@functools.cache
def run_store() -> RunStore:
    return RunStore(_table())


@functools.cache
def cap_store() -> CapStore:
    return CapStore(_table())


@functools.cache
def thaw_store() -> ThawStore:
    return ThawStore(_table())


@functools.cache
def recovery_store() -> RecoveryStore:
    return RecoveryStore(_table())


@functools.cache
def retention_store() -> RetentionStore:
    return RetentionStore(_table())


@functools.cache
def notice_store() -> NoticeStore:
    return NoticeStore(_table())


@functools.cache
def finding_store() -> FindingStore:
    return FindingStore(_table())


@functools.cache
def report_store() -> ReportStore:
    return ReportStore(_table())


@functools.cache
def _lambda() -> Any:
    return boto3.client("lambda")


@functools.cache
def discard_function() -> DiscardFunction:
    return DiscardFunction(_lambda(), settings().discard_function)


@functools.cache
def thaw_function() -> ThawFunction:
    return ThawFunction(_lambda(), settings().thaw_function)


LET_GO_SECONDS = 900
"""As long as the function that lets chains go may run. Asked once more, it would do the same again."""


@functools.cache
def let_go_function() -> LetGoFunction:
    from chalicelib.adapters.functions.let_go_function import LetGoFunction

    config = Config(read_timeout=LET_GO_SECONDS, retries={"total_max_attempts": 1})
    return LetGoFunction(boto3.client("lambda", config=config), settings().let_go_function)


@functools.cache
def dead_letters() -> DeadLetters:
    from chalicelib.adapters.dead_letters import DeadLetters

    return DeadLetters(boto3.client("sqs"), settings().dead_letter_queue)


@functools.cache
def _mailer() -> Mailer:
    from chalicelib.adapters.ses_mailer import Mailer

    client = boto3.client("sesv2", config=Config(retries={"total_max_attempts": 1}))
    return Mailer(client, settings().sender)


@functools.cache
def _alerts_topic() -> AlertsTopic:
    from chalicelib.adapters.alerts_topic import AlertsTopic

    # The mail comes after it, in the same call.
    config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})
    return AlertsTopic(boto3.client("sns", config=config), settings().alerts_topic_arn)


@functools.cache
def prices() -> PriceTable | None:
    from chalicelib.adapters import price_files

    return price_files.price_table(settings().region)


def code_stores() -> tuple[MachineStore, RecoveryStore, NoticeStore, JournalStore]:
    """For who comes with a code instead of a token."""
    return machine_store(), recovery_store(), notice_store(), journal_store()


def report_context(now: datetime) -> ReportContext:
    from chalicelib.journeys.send_weekly_report import ReportContext

    return ReportContext(
        machines=machine_store(),
        notice_store=notice_store(),
        runs=run_store(),
        catalogue=catalogue_store(),
        findings=finding_store(),
        thaws=thaw_store(),
        retention=retention_store(),
        recoveries=recovery_store(),
        reports=report_store(),
        mailer=_mailer(),
        weekly_time=settings().weekly_time,
        recipients=settings().recipients,
        now=now,
        stage=settings().stage,
        prices=prices(),
        budget=settings().monthly_budget,
        has_job_metrics=settings().has_job_metrics,
    )


def alert_context(now: datetime, *, has_job_metrics: bool = False) -> AlertContext:
    from chalicelib.adapters.stores.alert_store import AlertStore
    from chalicelib.journeys.send_alerts import AlertContext

    return AlertContext(
        machines=machine_store(),
        notices=notice_store(),
        catalogue=catalogue_store(),
        findings=finding_store(),
        thaws=thaw_store(),
        alerts=AlertStore(_table()),
        mailer=_mailer(),
        topic=_alerts_topic(),
        recipients=settings().recipients,
        stage=settings().stage,
        zone=settings().weekly_time.zone,
        now=now,
        has_job_metrics=has_job_metrics,
    )


def audit_context(now: datetime) -> AuditContext:
    from chalicelib.journeys.audit_buckets import AuditContext

    return AuditContext(
        machines=machine_store(),
        notices=notice_store(),
        catalogue=catalogue_store(),
        findings=finding_store(),
        thaws=thaw_store(),
        retention=retention_store(),
        buckets=buckets(),
        settings=_settings_reader(),
        bucket=settings().bucket,
        region=settings().region,
        queue_arn=settings().queue_arn,
        now=now,
        prices=prices(),
    )


@functools.cache
def _settings_reader() -> SettingsReader:
    from chalicelib.adapters.bucket_settings import SettingsReader

    return SettingsReader(boto3.client("s3"))


def _drop_store() -> DropStore:
    from chalicelib.adapters.stores.fleet.drop_store import DropStore

    return DropStore(_table())


def _group_store() -> GroupStore:
    from chalicelib.adapters.stores.fleet.group_store import GroupStore

    return GroupStore(_table())


@functools.cache
def _callers() -> CallerIdentity:
    from chalicelib.adapters.caller_identity import CallerIdentity

    return CallerIdentity(functools.partial(boto3.client, "sts"), f"panicroom-{settings().stage}-admin")


def admin_context(now: datetime) -> AdminContext:
    from chalicelib.journeys.admin.request import AdminContext

    return AdminContext(
        machine_store(),
        recovery_store(),
        notice_store(),
        cap_store(),
        thaw_store(),
        thaw_function(),
        catalogue_store(),
        buckets(),
        settings().bucket,
        report_context(now),
        audit_context(now),
        alert_context(now),
        retention_store(),
        run_store(),
        _group_store(),
        _drop_store(),
        let_go_function(),
        journal_store(),
        _callers(),
        now,
    )


def thaw_context(caller: Caller, now: datetime) -> ThawContext:
    from chalicelib.journeys.thaws.thaw_context import ThawContext

    return ThawContext(
        thaw_store(),
        cap_store(),
        notice_store(),
        archive(),
        prices(),
        thaw_function(),
        caller.machine,
        caller.job,
        now,
        machine_store(),
        catalogue_store(),
        recovery_store(),
        caller.reader,
    )


def thaw_worker(clock: Callable[[], datetime], has_time: Callable[[], bool]) -> ThawWorker:
    from chalicelib.journeys.thaws.thaw_context import ThawWorker

    stores = machine_store(), recovery_store(), thaw_store(), notice_store(), catalogue_store()
    return ThawWorker(*stores, archive(), prices(), clock, has_time, time.sleep)


def retention_context(now: datetime, has_time: Callable[[], bool]) -> RetentionContext:
    from chalicelib.adapters.s3_versions import VersionStore
    from chalicelib.journeys.retention.read_facts import FactSources
    from chalicelib.journeys.retention.retention_context import RetentionContext

    return RetentionContext(
        FactSources(
            retention_store(), machine_store(), run_store(), notice_store(), finding_store(), thaw_store()
        ),
        cap_store(),
        catalogue_store(),
        buckets(),
        VersionStore(_s3()),
        _settings_reader(),
        journal_store(),
        now,
        has_time,
        settings().weekly_time.zone,
    )


def upload_context(caller: Caller, now: datetime) -> UploadContext:
    stores = machine_store(), cap_store(), notice_store(), catalogue_store()
    return UploadContext(*stores, buckets(), discard_function(), caller.machine, caller.job, now)


def download_context(caller: Caller, now: datetime) -> DownloadContext:
    stores = cap_store(), thaw_store(), notice_store(), catalogue_store(), retention_store()
    return DownloadContext(*stores, buckets(), caller.machine, caller.job, now)


def catalogue_context(now: datetime) -> CatalogueContext:
    return CatalogueContext(
        machine_store(),
        run_store(),
        notice_store(),
        cap_store(),
        catalogue_store(),
        finding_store(),
        buckets(),
        settings().bucket,
        discard_function(),
        now,
    )

"""Who calls the ``admin`` function: Lambda does not tell a function, so STS is asked.

The owner's command signs a request to STS, ``GetCallerIdentity``, and hands over its query instead of sending it. The
service sends it to the STS of its own region, whatever the query says, and STS answers with the ARN of whoever has
signed it. The signature covers a header with the name of the function, so that a query which was handed to another
stage is worth nothing here, and it is good for minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from aws_lambda_powertools import Logger
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.parsers import create_parser

logger = Logger()

FUNCTION_HEADER = "x-panicroom-function"

LIFE = timedelta(minutes=5)
"""How far the time of signing may be from the service's, in both directions: clocks differ. STS takes 15 minutes."""

ANSWER_SECONDS = 3

MOST_CHARACTERS = 8_000
"""A session's token takes some 1,500."""

_ASKED = {
    "Action": "GetCallerIdentity",
    "Version": "2011-06-15",
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-SignedHeaders": f"host;{FUNCTION_HEADER}",
}
_SIGNED = {"X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature"}
_OF_SESSIONS = {"X-Amz-Security-Token"}


class CallerIdentity:
    """``sts`` makes boto3's client of STS, of which the address and the form of the answer are taken."""

    def __init__(self, sts: Callable[[], Any], function_name: str) -> None:
        self._sts = sts
        self._function_name = function_name

    def arn(self, query: object, now: datetime) -> str | None:
        """The ARN of who signed the query; ``None`` where that cannot be had. The query is logged nowhere."""
        checked = checked_query(query, now)
        if checked is None:
            return None
        try:
            return self._ask(checked)
        except Exception as error:
            # Whatever it is, the command goes on. Its own sentence may have the address with the query.
            logger.warning("STS could not be asked who calls", reason=type(error).__name__)
            return None

    def _ask(self, query: str) -> str | None:
        sts = self._sts()
        headers = {FUNCTION_HEADER: self._function_name}
        request = AWSRequest("GET", f"{sts.meta.endpoint_url.rstrip('/')}/?{query}", headers).prepare()
        answer = URLLib3Session(timeout=ANSWER_SECONDS).send(request)
        if answer.status_code != 200:
            logger.warning("STS knows no caller", status=answer.status_code)
            return None
        shape = sts.meta.service_model.operation_model("GetCallerIdentity").output_shape
        parts = {"status_code": 200, "headers": answer.headers, "body": answer.content}
        arn: str | None = create_parser("query").parse(parts, shape).get("Arn")
        return arn


def checked_query(query: object, now: datetime) -> str | None:
    """The query, written anew, if it is a signed ``GetCallerIdentity`` for some function, of just now, and nothing
    else. Which function it was signed for, and by whom, is for STS to find."""
    if not isinstance(query, str) or len(query) > MOST_CHARACTERS or not query.isascii():
        return None
    pairs = parse_qsl(query, keep_blank_values=True)
    values = dict(pairs)
    if len(values) != len(pairs) or values.keys() - _OF_SESSIONS != _ASKED.keys() | _SIGNED:
        return None
    if not values.items() >= _ASKED.items() or not _is_of_now(values["X-Amz-Date"], now):
        return None
    return urlencode(values, quote_via=quote)


def _is_of_now(text: str, now: datetime) -> bool:
    try:
        signed_at = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return False
    return abs(now - signed_at) <= LIFE

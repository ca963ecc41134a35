"""The API's OpenAPI description, made from ``chalicelib.wire``: ``docs/reference/openapi.json``."""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum
from typing import Annotated, Any

from chalicelib import wire
from chalicelib.config import NEWEST_CLIENT_VERSION
from chalicelib.domain.fleet.client_versions import PATTERN as VERSION

Schema = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Operation:
    """One call of the API. ``request`` is missing where it takes no body, ``answer`` where that is empty."""

    method: str
    path: str
    summary: str
    request: type[Any] | None
    answer: type[Any] | None
    status: int = 200


OPERATIONS = (
    Operation(
        "post", "/enrolments", "Enrol with a one-time code", wire.EnrolmentRequest, wire.EnrolmentAnswer, 201
    ),
    Operation(
        "post",
        "/recoveries",
        "Get a reader's token by a recovery code",
        wire.RecoveryRequest,
        wire.RecoveryAnswer,
        201,
    ),
    Operation("get", "/machine", "The machine's jobs and their states", None, wire.MachineStatus),
    Operation("get", "/client", "The client's wheel, by a redirect", None, wire.ClientOffer, 302),
    Operation(
        "get",
        "/client/requirements.txt",
        "The versions and digests of what the client needs, by a redirect",
        None,
        wire.ClientOffer,
        302,
    ),
    Operation("get", "/client/{version}", "That version's wheel, by a redirect", None, wire.ClientOffer, 302),
    Operation(
        "get",
        "/client/{version}/requirements.txt",
        "The versions and digests of what that version needs, by a redirect",
        None,
        wire.ClientOffer,
        302,
    ),
    Operation(
        "post", "/jobs", "Make a job in a family of photo jobs", wire.JobRequest, wire.EnrolledJob, 201
    ),
    Operation("post", "/jobs/{job}/runs", "Begin a run: take the lease", wire.RunStart, wire.RunStarted, 201),
    Operation("patch", "/jobs/{job}/runs/{run}", "Renew the lease, or end the run", wire.RunUpdate, None),
    Operation("post", "/jobs/{job}/uploads", "Ask for upload URLs", wire.UploadRequest, wire.UploadAnswer),
    Operation(
        "post", "/jobs/{job}/multiparts", "Upload in parts", wire.MultipartRequest, wire.MultipartAnswer
    ),
    Operation("get", "/jobs/{job}/files", "List stored files", None, wire.FileListing),
    Operation(
        "post", "/jobs/{job}/downloads", "Ask for download URLs", wire.DownloadRequest, wire.DownloadAnswer
    ),
    Operation(
        "post",
        "/jobs/{job}/discards",
        "Give up files of an open set",
        wire.DiscardRequest,
        wire.DiscardAnswer,
    ),
    Operation("post", "/jobs/{job}/thaws", "Plan a thaw: what it costs", wire.ThawRequest, wire.ThawPlan),
    Operation(
        "post",
        "/jobs/{job}/thaws/{thaw}/start",
        "Start a thaw that was planned",
        wire.ThawStart,
        wire.ThawStatus,
    ),
    Operation("get", "/jobs/{job}/thaws/{thaw}", "Where a thaw stands", None, wire.ThawStatus),
    Operation("post", "/jobs/{job}/drills", "Report a drill", wire.DrillReport, wire.DrillStatus),
)

WITHOUT_A_TOKEN = (
    "/enrolments",
    "/recoveries",
    "/client",
    "/client/requirements.txt",
    "/client/{version}",
    "/client/{version}/requirements.txt",
)
"""Calls that carry a code, or nothing at all."""

PATH_PARAMETERS = {
    "job": "[a-z0-9][a-z0-9-]{0,40}",
    "run": "[0-9]{8}t[0-9]{6}z-[0-9a-f]{16}",
    "thaw": "[0-9a-f]{20}",
    "version": VERSION,
}


def description() -> Schema:
    """OpenAPI 3.1."""
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    shapes = [
        shape for shape in vars(wire).values() if dataclasses.is_dataclass(shape) and shape is not wire.Range
    ]
    return {
        "openapi": "3.1.0",
        "info": {"title": "panicroom", "version": NEWEST_CLIENT_VERSION, "license": {"name": "MIT"}},
        "paths": paths,
        "components": {
            "schemas": {shape.__name__: _record(shape) for shape in shapes if isinstance(shape, type)},
            "securitySchemes": {"machine": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(operation: Operation) -> Schema:
    described: Schema = {"summary": operation.summary}
    names = [name for name in PATH_PARAMETERS if f"{{{name}}}" in operation.path]
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": PATH_PARAMETERS[name]},
        }
        for name in names
    ]
    if operation.path.endswith("/files"):
        parameters.append({"name": "after", "in": "query", "required": False, "schema": {"type": "string"}})
    if parameters:
        described["parameters"] = parameters
    if operation.request is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.request)}
    if operation.path not in WITHOUT_A_TOKEN:
        described["security"] = [{"machine": []}]
    done: Schema = {"description": "done"}
    if operation.answer is not None:
        done["content"] = _content(operation.answer)
    refused = {"description": "refused", "content": _content(wire.ErrorAnswer)}
    described["responses"] = {str(operation.status): done, "default": refused}
    return described


def _content(shape: type[Any]) -> Schema:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}


def _record(shape: Any) -> Schema:
    hints = typing.get_type_hints(shape, include_extras=True)
    fields = dataclasses.fields(shape)
    required = [field.name for field in fields if field.default is dataclasses.MISSING]
    return {
        "type": "object",
        "properties": {field.name: _schema(hints[field.name]) for field in fields},
        **({"required": required} if required else {}),
    }


_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _schema(kind: Any) -> Schema:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return {"oneOf": [_schema(arm) for arm in arguments]}
    if kind is type(None):
        return {"type": "null"}
    if origin is Annotated:
        allowed: wire.Range = arguments[1]
        return {**_schema(arguments[0]), "minimum": allowed.least, "maximum": allowed.most}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if dataclasses.is_dataclass(kind):
        return {"$ref": f"#/components/schemas/{typing.cast('type[Any]', kind).__name__}"}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"type": "string", "enum": [member.value for member in kind]}
    return {"type": _SCALARS[kind]}

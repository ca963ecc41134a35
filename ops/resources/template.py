"""``resources.yaml`` as it is read here: what is in it, and the bucket's policy with a stage's names put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ops.stages import Stage

TEMPLATE_PATH = Path(__file__).with_name("resources.yaml")


def read_template(text: str) -> dict[str, Any]:
    """A template of CloudFormation's, in its long form: ``!Ref X`` is read as ``{"Ref": "X"}``."""
    return dict(yaml.load(text, _Loader))  # noqa: S506 - it is a SafeLoader


def bucket_statements(stage: Stage) -> list[dict[str, Any]]:
    """The statements of the bucket's policy as CloudFormation writes them for the stage."""
    return _statements(stage, "BucketPolicy")


def queue_statements(stage: Stage) -> list[dict[str, Any]]:
    """The statements of the queue's policy, likewise."""
    return _statements(stage, "EventsQueuePolicy")


def _statements(stage: Stage, policy: str) -> list[dict[str, Any]]:
    names = {
        "Bucket.Arn": f"arn:aws:s3:::{stage.bucket}",
        "EventsQueue.Arn": stage.arn("sqs", stage.queue),
        "AWS::AccountId": stage.account,
        "Stage": stage.name,
    }
    document = read_template(TEMPLATE_PATH.read_text())["Resources"][policy]["Properties"]["PolicyDocument"]
    return list(_with_names(document["Statement"], names))


def _with_names(value: Any, names: Mapping[str, str]) -> Any:
    match value:
        case list():
            return [_with_names(one, names) for one in value]
        case {"Fn::GetAtt": [resource, attribute]}:
            return names[f"{resource}.{attribute}"]
        case {"Ref": name}:
            return names[name]
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: names[found[1]], text)
        case dict():
            return {key: _with_names(one, names) for key, one in value.items()}
    return value


class _Loader(yaml.SafeLoader):
    """Knows CloudFormation's short forms: ``!Ref X``, ``!Sub text``, ``!GetAtt X.Arn``."""


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".")
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)

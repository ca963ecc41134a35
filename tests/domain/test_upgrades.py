"""The contract one version apart, either way round: what one side has grown, the other does without.

tests/upgrades does it with the release before itself.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum
from typing import Any

import panicroom
import pytest

from chalicelib import wire
from chalicelib.config import NEWEST_CLIENT_VERSION, OLDEST_CLIENT_VERSION

SHAPES = [
    shape
    for shape in vars(wire).values()
    if dataclasses.is_dataclass(shape) and isinstance(shape, type) and shape.__module__ == wire.__name__
]


class Free(dict[str, Any]):
    """An object whose names are data, not the contract's: headers, duplicity's statistics."""


def sample(kind: Any, *, with_optional: bool) -> Any:
    """A value of a type of the contract, as JSON has it."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return sample(next(one for one in arguments if one is not type(None)), with_optional=with_optional)
    if origin is tuple:
        return [sample(arguments[0], with_optional=with_optional)]
    if origin is dict:
        return Free(name=sample(arguments[1], with_optional=with_optional))
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return {
            field.name: sample(hints[field.name], with_optional=with_optional)
            for field in dataclasses.fields(kind)
            if with_optional or not has_default(field)
        }
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(member.value for member in kind)
    return {str: "text", int: 1, float: 1.0, bool: True}[kind]


def has_default(field: dataclasses.Field[Any]) -> bool:
    return (field.default, field.default_factory) != (dataclasses.MISSING, dataclasses.MISSING)


def grown(value: Any) -> Any:
    """The same from a side that is one version ahead: a field more in every object."""
    if isinstance(value, dict) and not isinstance(value, Free):
        return {**{name: grown(one) for name, one in value.items()}, "of_the_next_version": {"more": [1]}}
    return [grown(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_what_the_other_side_says_beyond_the_contract_is_passed_over(shape: Any) -> None:
    body = sample(shape, with_optional=True)
    assert wire.from_json(shape, grown(body)) == wire.from_json(shape, body)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_what_may_be_left_out_may_be_left_out_everywhere(shape: Any) -> None:
    """A field that is added has a usual value: the other side does not know it yet."""
    built = wire.from_json(shape, sample(shape, with_optional=False))
    for field in dataclasses.fields(shape):
        if field.default is not dataclasses.MISSING:
            assert getattr(built, field.name) == field.default


def test_the_service_knows_the_client_beside_it_and_takes_the_one_of_the_release_before() -> None:
    newest, oldest = (
        tuple(int(part) for part in version.split("."))
        for version in (NEWEST_CLIENT_VERSION, OLDEST_CLIENT_VERSION)
    )
    assert panicroom.__version__ == NEWEST_CLIENT_VERSION
    assert oldest < newest

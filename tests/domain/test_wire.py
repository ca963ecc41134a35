"""The contract: what one side writes the other reads, and a wrong field is named."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import types
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import wire

MEMBERS = st.builds(wire.SetMember, st.text(), st.integers(0, 2**50), st.text())
FILES = st.builds(
    wire.UploadFile,
    st.text(),
    st.integers(0, 2**50),
    st.text(),
    st.none() | st.lists(MEMBERS, max_size=3).map(tuple),
)
REQUESTS = st.builds(wire.UploadRequest, st.text(), st.lists(FILES, max_size=3).map(tuple))


@given(REQUESTS)
def test_what_is_written_is_read_back(request: wire.UploadRequest) -> None:
    assert wire.from_json(wire.UploadRequest, json.loads(json.dumps(wire.to_json(request)))) == request


@given(
    st.builds(
        wire.RunUpdate,
        st.none() | st.integers(-255, 255),
        statistics=st.none() | st.dictionaries(st.text(), st.floats(-wire.MOST, wire.MOST)),
    )
)
def test_optional_fields_and_mappings_survive(update: wire.RunUpdate) -> None:
    assert wire.from_json(wire.RunUpdate, json.loads(json.dumps(wire.to_json(update)))) == update


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-wire.MOST, wire.MOST) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_anything_else_is_an_error_of_the_contract_never_another(data: object) -> None:
    with contextlib.suppress(wire.WireError):
        wire.from_json(wire.UploadRequest, data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "the body must be an object"),
        ({"files": []}, "run is missing"),
        ({"run": 7, "files": []}, "run must be a text"),
        ({"run": "r", "files": {}}, "files must be a list"),
        (
            {"run": "r", "files": [{"name": "n", "size": 1.5, "sha256": ""}]},
            "files[0].size must be a whole number",
        ),
        (
            {"run": "r", "files": [{"name": "n", "size": True, "sha256": ""}]},
            "files[0].size must be a whole number",
        ),
        ({"run": "r", "files": [{"name": None, "size": 1, "sha256": ""}]}, "files[0].name must be a text"),
    ],
)
def test_the_field_that_is_wrong_is_named(data: object, message: str) -> None:
    with pytest.raises(wire.WireError) as error:
        wire.from_json(wire.UploadRequest, data)
    assert str(error.value) == message


def test_unknown_fields_are_ignored_so_that_either_side_may_be_newer() -> None:
    request = wire.from_json(wire.DownloadRequest, {"names": ["n"], "tomorrow": {"x": 1}})
    assert request == wire.DownloadRequest(("n",))


def whole_numbers() -> list[tuple[str, object]]:
    shapes = [
        shape for shape in vars(wire).values() if dataclasses.is_dataclass(shape) and shape is not wire.Range
    ]
    hints = [(shape.__name__, typing.get_type_hints(shape, include_extras=True)) for shape in shapes]
    return [(f"{name}.{field}", kind) for name, kinds in hints for field, kind in kinds.items()]


@pytest.mark.parametrize(("field", "kind"), whole_numbers(), ids=lambda value: str(value))
def test_every_whole_number_has_a_range(field: str, kind: object) -> None:
    arms = typing.get_args(kind) if typing.get_origin(kind) in (types.UnionType, typing.Union) else (kind,)
    assert int not in arms, f"{field} takes any number"

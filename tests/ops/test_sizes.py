"""Sizes as people type them, and as they are shown."""

from __future__ import annotations

import pytest

from ops.commands.arguments.sizes import parse_size


@pytest.mark.parametrize(
    ("typed", "size_bytes"),
    [
        ("1B", 1),
        ("2KB", 2_048),
        ("3mb", 3_145_728),
        ("1000GB", 1_073_741_824_000),
        ("20TB", 21_990_232_555_520),
        ("1.5 TB", 1_649_267_441_664),
        (" 1PB ", 1_125_899_906_842_624),
    ],
)
def test_a_gb_is_2_to_the_30_bytes(typed: str, size_bytes: int) -> None:
    assert parse_size(typed) == size_bytes


@pytest.mark.parametrize(
    "typed", ["", "20", "TB", "-1GB", "0GB", "0.0001B", "1,5TB", "1GiB", "1e3GB", "20 T B", "٣GB", "1.GB"]
)
def test_anything_else_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(ValueError, match="is no size: write a number and a unit, such as 500GB"):
        parse_size(typed)

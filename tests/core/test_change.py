"""What differs between two documents, secrets told by their mask only."""

from collections.abc import Mapping
from typing import Any

import pytest

from longwire.core.change import differences


def hide(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: "*****" if name == "secret" else value for name, value in document.items()}


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": {"from": 1, "to": 2}}),
        ({"a": 1}, {}, {"a": {"from": 1}}),
        ({}, {"a": False}, {"a": {"to": False}}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, {"a.b.c": {"from": 1, "to": 2}}),
        ({"a": {}}, {"a": {"b": 1}}, {"a": {"from": {}}, "a.b": {"to": 1}}),
        ({"a": None}, {}, {}),
        ({"a": [1, {"b": 2}]}, {"a": [1]}, {"a": {"from": [1, {"b": 2}], "to": [1]}}),
        ({"secret": "x"}, {"secret": "y"}, {"secret": {"from": "*****", "to": "*****"}}),
        ({"secret": "x"}, {"secret": "x"}, {}),
        ({}, {"secret": "x"}, {"secret": {"to": "*****"}}),
    ],
)
def test_each_member_that_differs_is_told_by_its_path(
    before: dict[str, Any], after: dict[str, Any], found: dict[str, Any]
) -> None:
    assert differences(before, after, hide) == found

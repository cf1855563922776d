"""The parameters of `verify_archive`: they become a scope, or are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from recording_archive.errors import ConfigurationError
from recording_archive.fixity.request import Scope, read_scope
from support.spellings import GUID, PASTED


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ({"interactionID": "a"}, "Unknown parameter interactionID"),
        ({"everything": "yes"}, "everything: give true or false"),
        ({"interactionIds": 5}, "interactionIds: give a text"),
        ({"interactionIds": "a", "everything": True}, "exclude each other"),
        ({"sweep_only": True, "everything": True}, "exclude each other"),
    ],
)
def test_wrong_parameters_are_refused_by_name(conf: dict[str, Any], says: str) -> None:
    """What the form cannot refuse, the plan does."""
    with pytest.raises(ConfigurationError, match=says):
        read_scope(conf)


def test_parameters_become_a_scope() -> None:
    """Ids come as a text, a list in a text, or an array, in any spelling; reindex goes with anything."""
    assert read_scope({}).kind == "due"
    assert read_scope({"interactionIds": "a, b", "reindex": True}) == Scope(ids=("a", "b"), reindex=True)
    assert read_scope({"interactionIds": [*PASTED, f"{GUID}\nb"]}) == Scope(ids=(GUID, "b"))
    assert read_scope({"everything": True, "sweep_only": None}).kind == "everything"
    assert read_scope({"sweep_only": True}).kind == "sweep"

"""The tasks of `export_evidence` as the DAG calls them, one after another, without a scheduler."""

from __future__ import annotations

from typing import Any

import pytest

from recording_archive import hooks
from recording_archive.archive import Archive
from recording_archive.errors import ConfigurationError
from recording_archive.evidence.ready import ready_packs
from support.commands import configure
from support.contents import all_rows, ids

RUN = "manual__1"


@pytest.fixture
def set_up(archived: Archive, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """The archive, as its settings name it."""
    monkeypatch.setenv("RECORDING_ARCHIVE_EVIDENCE_PART_BYTES", "1")
    configure(archived.settings, monkeypatch)
    return archived


@pytest.mark.parametrize("by", ["interactionIds", "runId", "query"])
def test_a_run_makes_a_pack_that_can_be_fetched(set_up: Archive, by: str) -> None:
    """Named by ids, a run or a search; between tasks travel numbers alone, and the end tells no id of a call."""
    wanted: dict[str, Any] = {"interactionIds": ", ".join(ids(set_up)), "runId": all_rows(set_up)[0].archived_by}
    wanted["query"] = {"from": "2026-11-20", "to": "2026-11-20"}
    conf = {"reason": "letter of counsel", by: wanted[by], "holdId": None}
    parts = hooks.plan_evidence(run_id=RUN, conf=conf, asked_by="kim")
    assert parts == [{"number": number, "of": 6} for number in range(1, 7)]
    assert hooks.plan_evidence(run_id=RUN, conf=conf, asked_by="kim") == parts
    assert [hooks.make_evidence_part(RUN, part["number"]) for part in parts] == [1] * 6
    told = hooks.offer_evidence(RUN)
    assert (told["calls"], told["parts"]) == (6, 6)
    (pack,) = ready_packs(set_up)
    assert (pack["pack"], pack["askedBy"], pack["asked"]) == (told["pack"], "kim", {by: wanted[by]})


@pytest.mark.parametrize(
    ("conf", "named"),
    [
        ({}, "Name what the pack is to hold"),
        ({"reason": "r", "interactionId": "a"}, "Unknown parameter interactionId"),
        ({"reason": "r", "query": {"day": "2026-11-20"}}, "query.day"),
        ({"reason": "r", "query": {"from": "yesterday"}}, "query.from"),
        ({"reason": "r", "query": {"agent": 7}}, "query.agent"),
        ({"reason": "r", "query": "all"}, "query: give a JSON object"),
        ({"reason": "r", "query": {}}, "Name what the pack is to hold"),
        ({"reason": "r", "runId": "nobody"}, "There is no run"),
        ({"reason": "r", "holdId": 7}, "holdId: give a text"),
        ({"interactionIds": "a"}, "A pack needs a reason"),
        ({"reason": "r", "interactionIds": "a", "runId": "b"}, "Name what the pack is to hold"),
    ],
)
def test_a_wrong_parameter_is_named(set_up: Archive, conf: dict[str, Any], named: str) -> None:
    """Nothing is chosen, and no event is written."""
    with pytest.raises(ConfigurationError, match=named):
        hooks.plan_evidence(run_id=RUN, conf=conf, asked_by=None)
    assert list(set_up.store.list("packs/")) == []

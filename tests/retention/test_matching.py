"""A rule matches for sure, possibly or not, by everybody who took part."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from recording_archive.model import Attributes, Party
from recording_archive.parties.documents import NAMES, columns
from recording_archive.retention.matching import Asked, Facts, Match

QUEUE, DIVISION, MEDIA = ("queue_id", "queue_name"), ("division",), ("media_type",)
GUID = "4F2A9C00-0000-4000-8000-000000000001"


def facts(*parties: Party, media_type: str | None = "call", **attributes: str) -> Facts:
    """The facts of a recording with main attributes and other parties."""
    main: dict[str, Any] = dict.fromkeys(NAMES) | attributes
    return Facts(SimpleNamespace(**main, media_type=media_type, **columns(Attributes(**main), parties, "")))


SALES = {"queue_id": "q1", "queue_name": "Sales"}


@pytest.mark.parametrize(
    ("found", "match"),
    [
        (facts(**SALES), Match.NONE),
        (facts(queue_id="q2", queue_name="FINANCE"), Match.SURE),
        (facts(Party(queue_id="q2", queue_name="Finance"), **SALES), Match.SURE),
        (facts(Party(queue_id="q2", queue_name="Finance", certain=False), **SALES), Match.POSSIBLE),
        (facts(Party(queue_id="q2"), **SALES), Match.POSSIBLE),
        (facts(), Match.POSSIBLE),
    ],
)
def test_a_queue_of_any_party_matches(found: Facts, match: Match) -> None:
    """What is not known may be the queue that is asked for."""
    assert found.match([Asked.of(QUEUE, ["Finance"])]) is match


def test_every_field_must_match_by_some_party() -> None:
    """One field that does not ends it, though another is not known; one that may makes the whole possible."""
    found = facts(Party(division="North"), **SALES)
    assert found.match([Asked.of(QUEUE, ["sales"]), Asked.of(DIVISION, ["north"])]) is Match.SURE
    assert found.match([Asked.of(QUEUE, ["other"]), Asked.of(DIVISION, ["north"])]) is Match.NONE
    assert facts(**SALES).match([Asked.of(QUEUE, ["sales"]), Asked.of(DIVISION, ["north"])]) is Match.POSSIBLE
    assert facts(media_type=None, **SALES).match([Asked.of(QUEUE, ["x"]), Asked.of(MEDIA, ["chat"])]) is Match.NONE
    assert facts(media_type=None, **SALES).match([Asked.of(MEDIA, ["chat"])]) is Match.POSSIBLE


def test_who_gives_ids_alone_does_not_ask_for_names() -> None:
    """A source without names would have each of its recordings possibly match."""
    assert facts(queue_id="q1").match([Asked.of(QUEUE, [GUID])]) is Match.NONE
    assert facts(queue_id=GUID.lower()).match([Asked.of(QUEUE, [GUID])]) is Match.SURE
    assert facts(queue_id="q1").match([Asked.of(QUEUE, [GUID, "Finance"])]) is Match.POSSIBLE


def test_a_rule_needs_the_columns_it_is_compared_by() -> None:
    """The columns of a thing come together, with everybody else's."""
    assert Asked.of(QUEUE, ["x"]).needs == {"queue_id", "queue_name", "parties"}
    assert Asked.of(MEDIA, ["x"]).needs == {"media_type"}

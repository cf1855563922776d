"""The JSON form of parties, and the columns made of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording_archive.model import Attributes, Party
from recording_archive.parties.documents import columns, from_json, to_json

texts = st.none() | st.text(min_size=1, max_size=5)


@given(st.lists(st.builds(Party, agent_id=texts, queue_name=texts, ani=texts, contact_id=texts, certain=st.booleans())))
def test_parties_come_back_from_their_documents(parties: list[Party]) -> None:
    """Nothing is lost, and nothing that is not known is written."""
    told = to_json(parties)
    assert from_json(told) == tuple(parties)
    assert all(value is not None for each in told for value in each.values())


@pytest.mark.parametrize("told", [None, {}, [7], [{}], [{"certain": 1}], [{"certain": True, "agentId": 7}]])
def test_damaged_parties_are_refused(told: Any) -> None:
    """A sidecar that has them is damaged."""
    with pytest.raises((TypeError, KeyError)):
        from_json(told)


def test_numbers_are_written_in_their_one_form() -> None:
    """Those of possible parties apart, unless they are certain as well."""
    parties = (Party(ani="0044 20 7946 0958"), Party(ani="+1 202 555 0153", dnis="tel:+442079460958", certain=False))
    main = Attributes(ani="tel:+442079460958")
    found = columns(main, parties, "GB")
    assert found["numbers"] == {"region": "GB", "certain": ["+442079460958"], "possible": ["+12025550153"]}
    assert columns({"ani": None}, (), "") == {"parties": [], "numbers": {"region": "", "certain": [], "possible": []}}

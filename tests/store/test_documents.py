"""Documents that must outlive the catalog: their bytes never change with the way they are written."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from recording_archive.store.documents import compose

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
DOCUMENTS = st.dictionaries(
    st.text(), st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)
)


class Word(StrEnum):
    """A word as enums give it."""

    YES = 'y"e\\s'


@given(DOCUMENTS)
def test_a_document_is_json_with_an_indent_of_one(document: dict[str, Any]) -> None:
    """Byte for byte what Python's `json` writes: a sidecar is made again from the catalog, and compared by its hash."""
    assert compose(document).decode() == json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def test_words_and_tuples_are_written_as_what_they_stand_for() -> None:
    """Enums of text are text, tuples are lists."""
    assert json.loads(compose({Word.YES: (Word.YES, [], {}, ())})) == {'y"e\\s': ['y"e\\s', [], {}, []]}

"""Legal holds: what must stay, whatever its age, until someone lets it go. Start reading here.

    create, release, read, find   (lives)      the life of a hold; its documents are in the archive first
    Criteria                      (criteria)   what a hold asks for, and when a recording matches
    holding                       (matching)   who holds these few recordings
    Matcher                       (matcher)    who holds each recording of the archive
    effect                        (effect)     what a hold does now, counted

A hold is a query, so it covers recordings that arrive later; nothing is marked. `documents` has the form of its two
documents, `rows` its rows in the catalog, `spans` which of many holds cover a date.
"""

from recording_archive.holds.criteria import COLUMNS, MOST_VALUES, Criteria
from recording_archive.holds.documents import Hold
from recording_archive.holds.effect import Effect, effect
from recording_archive.holds.lifecycle import create, find, read, release
from recording_archive.holds.lookup import holding
from recording_archive.holds.matcher import Holding, Matcher

__all__ = [
    "COLUMNS",
    "MOST_VALUES",
    "Criteria",
    "Effect",
    "Hold",
    "Holding",
    "Matcher",
    "create",
    "effect",
    "find",
    "holding",
    "read",
    "release",
]

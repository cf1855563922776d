"""Legal holds: the recordings that must be kept whatever their age, until a person releases the hold.

    create, release, read, find   (lifecycle)  the life of a hold; its documents are written to the archive first
    Criteria                      (criteria)   the values a hold asks for, and when a recording matches
    holding                       (lookup)     the holds of a few recordings
    Matcher                       (matcher)    the holds of each recording of the archive
    LOOKED_AT                     (traits)     the columns by which they are found
    effect, members               (effect)     what a hold does now, counted; the recordings themselves
    unmatched_ids, warning        (nothing_found)  what it asks for and the catalog has not
    survey                        (survey)     holds that a person must look at: lost, or made by nobody

A hold is a query, so it covers recordings that arrive later; nothing is marked. `documents` defines the form of its two
documents, `rows` its rows in the catalog, `date_index` finds which of many holds cover a date.
"""

from recording_archive.holds.criteria import MOST_VALUES, Criteria
from recording_archive.holds.documents import Hold
from recording_archive.holds.effect import Effect, effect, members
from recording_archive.holds.lifecycle import create, find, read, release
from recording_archive.holds.lookup import holding
from recording_archive.holds.matcher import Holding, Matcher
from recording_archive.holds.nothing_found import unmatched_ids, warning
from recording_archive.holds.traits import LOOKED_AT

__all__ = [
    "LOOKED_AT",
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
    "members",
    "read",
    "release",
    "unmatched_ids",
    "warning",
]

"""Warning of a hold that matches nothing now, or of its ids that do not: such a hold looks like any other."""

from __future__ import annotations

from collections.abc import Sequence

from recording_archive.archive import Archive
from recording_archive.catalog.search_ids import unknown_ids
from recording_archive.holds.documents import Hold
from recording_archive.holds.effect import Effect

_NAMED = 5


def unmatched_ids(archive: Archive, hold: Hold) -> list[str]:
    """Return the ids of a hold that are neither an interaction nor a recording of the catalog."""
    return unknown_ids(archive.catalog, hold.criteria.interaction_ids)


def warning(hold: Hold, effect: Effect, unmatched: Sequence[str]) -> str | None:
    """Say that a hold holds nothing now, or that some of its ids match nothing; None when neither is so."""
    if hold.released_at is not None or not (unmatched or not (effect.held or effect.possibly_held)):
        return None
    said = []
    if not effect.held and not effect.possibly_held:
        gone = f", and {effect.purged} that match were deleted before" if effect.purged else ""
        said.append(f"this hold matches no recording that is in the archive now{gone}")
    if unmatched:
        more = f" and {len(unmatched) - _NAMED} more" if len(unmatched) > _NAMED else ""
        which = f"{len(unmatched)} of {len(hold.criteria.interaction_ids)} ids match nothing"
        said.append(f"{which}: {', '.join(unmatched[:_NAMED])}{more}")
    return f"{'; '.join(said)}. It covers them if they come; check the spelling of what it asks for"

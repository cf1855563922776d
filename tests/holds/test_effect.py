"""The effect of a hold is counted as the rules say."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from recording_archive.archive import Archive
from recording_archive.holds import Criteria, Effect, effect
from recording_archive.model import State
from support.hold_scenes import (
    SCENES,
    SLOWLY,
    Scene,
    fill,
    made_hold,
    verdict,
)


@given(SCENES)
@SLOWLY
def test_the_effect_of_a_hold_is_as_the_rules_say(refilled: Archive, scene: Scene) -> None:
    """Held, possibly held and purged are counted as the model judges each row, and the examples are such rows."""
    fill(refilled.catalog, scene)
    for hold_id, (criteria, _) in scene.holds.items():
        found = effect(refilled, made_hold(hold_id, criteria))
        assert replace(found, examples=()) == counted(scene, criteria)
        judged = [verdict(criteria, row) for part in found.examples for row in scene.rows if row["part"] == part.part]
        assert judged == ["held"] * found.held + ["possibly"] * found.possibly_held


def counted(scene: Scene, criteria: Criteria) -> Effect:
    """The effect of a hold, by the model."""
    held = possibly = purged = 0
    for row in scene.rows:
        judged = verdict(criteria, row)
        if row["state"] in {State.PURGED, State.ERASED} or row["deleting_at"]:
            purged += judged == "held"
        elif row["state"] in {State.ARCHIVED, State.QUARANTINED}:
            held += judged == "held"
            possibly += judged == "possibly"
    return Effect(held, possibly, purged, ())

"""The recheck: changes between plan and action are seen in the transaction that acts."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from recording_archive.archive import Archive, open_archive
from recording_archive.disposition.quarantine import purge, quarantine
from recording_archive.disposition.report import close
from recording_archive.errors import StoreError
from recording_archive.model import State
from recording_archive.store.local import LocalStore
from support.contents import files_of, ids, row_of, rows
from support.harms import AT_PLAN, AT_PURGE, HARMS, MOMENTS, Harm
from support.retention_run import (
    EXPIRED,
    QUARANTINE,
    at,
    check_gone,
    enforce,
    hold,
    plan_approved,
    planned,
    quarantined,
)
from support.runner import settings_below

STOP = threading.Event()


class TestRecheck:
    """What changed between plan and deed is seen in the transaction of the deed."""

    @pytest.mark.parametrize(("harm", "why"), AT_PLAN, ids=[harm.__name__ for harm, _ in AT_PLAN])
    def test_what_may_not_go_is_not_planned(self, archived: Archive, harm: Harm, why: str) -> None:
        """The plan leaves it out and counts the reason; everything else goes on."""
        victim = ids(archived)[2]
        harm(archived, victim)
        plan = plan_approved(at(archived, EXPIRED), "retention__1")
        assert plan.counts["quarantine"] == 5
        assert victim not in planned(archived, "retention__1")
        assert plan.kept == {why.split(maxsplit=1)[0]: 1}

    @pytest.mark.parametrize(("harm", "why"), HARMS, ids=[harm.__name__ for harm, _ in HARMS])
    def test_what_may_not_go_any_more_is_not_quarantined(self, archived: Archive, harm: Harm, why: str) -> None:
        """It stays archived, and the report says why."""
        soon, victim = at(archived, EXPIRED), ids(archived)[2]
        plan_approved(soon, "retention__1")
        harm(soon, victim)
        assert quarantine(soon, "retention__1", STOP) == 5
        assert row_of(archived, victim).state == State.ARCHIVED
        assert why in planned(archived, "retention__1")[victim].why

    @pytest.mark.parametrize(("harm", "why"), AT_PURGE, ids=[harm.__name__ for harm, _ in AT_PURGE])
    def test_what_may_not_go_any_more_is_not_purged(self, archived: Archive, harm: Harm, why: str) -> None:
        """A hold, a bad reading, another date or hash that comes after the plan saves the recording, every byte."""
        soon, victim = quarantined(archived), ids(archived)[2]
        plan_approved(soon, "retention__2")
        harm(soon, victim)
        before = files_of(archived, victim)
        assert purge(soon, "retention__2", STOP) == 5
        assert files_of(archived, victim) == before
        assert row_of(archived, victim).state == State.QUARANTINED
        assert row_of(archived, victim).deleting_at is None
        assert why in planned(archived, "retention__2")[victim].why
        closed = close(soon, "retention__2")
        assert (closed.counts["purged"], closed.counts["notDone"]) == (5, 1)
        check_gone(archived)

    def test_a_hold_between_intent_and_bytes_takes_the_intent_back(self, archived: Archive) -> None:
        """The last look is in the transaction that removes the bytes: a hold that is there by then wins."""
        soon, victim = quarantined(archived), ids(archived)[2]
        plan_approved(soon, "retention__2")
        held: list[str] = []

        class Slow(LocalStore):
            """Lets a hold come between the intent of one recording and the removal of its bytes."""

            def identity(self) -> str | None:
                deleting = row_of(archived, victim).deleting_at is not None
                if deleting and not held:
                    held.append(hold(soon, victim))
                return super().identity()

        before = files_of(archived, victim)
        assert purge(replace(soon, store=Slow(archived.settings.root)), "retention__2", STOP) == 5
        assert held
        row = row_of(archived, victim)
        assert (row.state, row.deleting_at, row.deletion) == (State.QUARANTINED, None, None)
        assert files_of(archived, victim) == before
        assert planned(archived, "retention__2")[victim].why == f"held by {held[0]}"
        check_gone(archived)

    def test_a_policy_that_came_into_force_after_the_plan_stops_it(self, archived: Archive) -> None:
        """Nothing goes by rules that are not those of the plan."""
        soon = quarantined(archived)
        plan_approved(soon, "retention__2")
        longer = at(soon, soon.clock(), retention_days=3650)
        assert purge(longer, "retention__2", STOP) == 0
        assert {row.state for row in rows(archived).values()} == {State.QUARANTINED}
        assert "default:3650" in planned(archived, "retention__2")[ids(archived)[0]].why

    def test_a_root_that_is_not_the_archive_any_more_stops_everything(self, archived: Archive) -> None:
        """An unmounted volume is no deletion: no tombstone, no certificate, and the next run finds all there."""
        soon = quarantined(archived)
        plan_approved(soon, "retention__2")
        root = archived.settings.root
        away = root.with_name("away")
        root.rename(away)
        root.mkdir()
        with pytest.raises(StoreError, match="no longer holds archive"):
            purge(soon, "retention__2", STOP)
        assert list(root.iterdir()) == []
        root.rmdir()
        away.rename(root)
        assert enforce(soon, "retention__3").purged == 6
        check_gone(archived)

    def test_a_root_that_goes_away_while_bytes_are_removed_claims_nothing(self, archived: Archive) -> None:
        """Where nothing is mounted everything looks removed: the root is looked at again before anyone is told."""
        soon = quarantined(archived)
        plan_approved(soon, "retention__2")
        root = archived.settings.root
        away = root.with_name("away")

        class Lost(LocalStore):
            def remove(self, key: str) -> None:
                if not away.exists():
                    self.root.rename(away)
                    self.root.mkdir()
                super().remove(key)

        with pytest.raises(StoreError, match="no longer holds archive"):
            purge(replace(soon, store=Lost(root)), "retention__2", STOP)
        assert list(root.iterdir()) == []
        root.rmdir()
        away.rename(root)
        assert {len(files_of(archived, name)) for name in ids(archived)} == {2}
        assert enforce(soon, "retention__3").purged == 6
        check_gone(archived)


class TestAnything:
    """Whatever happens to whichever recording, and whenever, only what may go goes."""

    @settings(
        max_examples=10,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],  # an example takes half a second, and tells enough as it is
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(harms=st.lists(st.one_of(st.none(), *(st.sampled_from(each) for each in MOMENTS)), min_size=6, max_size=6))
    def test_only_what_may_go_goes(
        self, archived_once: Path, tmp_path_factory: pytest.TempPathFactory, harms: list[tuple[str, Harm] | None]
    ) -> None:
        """Recordings come to harm before the plan, before the quarantine, or before the purge: those stay."""
        folder = tmp_path_factory.mktemp("anything")
        shutil.copytree(archived_once, folder, dirs_exist_ok=True)
        archive = open_archive(settings_below(folder))
        doomed = {name: harm for name, harm in zip(ids(archive), harms, strict=True) if harm}

        def strike(moment: str) -> None:
            for name, (when, harm) in doomed.items():
                if when == moment:
                    harm(archive, name)

        first, second = at(archive, EXPIRED), at(archive, EXPIRED + QUARANTINE)
        strike("plan")
        plan_approved(first, "retention__1")
        strike("quarantine")
        quarantine(first, "retention__1", STOP)
        plan_approved(second, "retention__2")
        strike("purge")
        before = {name: files_of(archive, name) for name in ids(archive)}
        purge(second, "retention__2", STOP)
        for name, row in rows(archive).items():
            assert (row.state == State.PURGED) == (name not in doomed), (name, doomed.get(name))
            assert files_of(archive, name) == ([] if row.state == State.PURGED else before[name])
        check_gone(archive)
        archive.catalog.close()
        shutil.rmtree(folder)

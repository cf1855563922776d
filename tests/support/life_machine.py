"""An archive beside its model, and the steps that change and compare both."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine
from sqlalchemy import Row, select, update

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import recordings
from recording_archive.disposition import quarantine
from recording_archive.disposition.approval import approve
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.report import close, close_left_open
from recording_archive.errors import PermanentError
from support.fuse import Crash, Fuse, FusedCatalog, FusedStore
from support.life_model import DAWN, DAY, Hold, Life, digits, fate, keeps
from support.life_world import DAYS, OTHERS, STOP, WORLD, date_of
from support.runner import settings_below

reached: Counter[str] = Counter()
"""Counts of what happened in the runs of a test: one that never purges proves nothing about purges."""


class ArchiveAndModel(RuleBasedStateMachine):
    """An archive and its model; rules that change both come with a subclass."""

    def __init__(self, founded: Path, folder: Path) -> None:
        super().__init__()
        shutil.copytree(founded, folder)
        self.folder, self.settings = folder, settings_below(folder)
        self.now, self.days, self.numbers = DAWN + 21 * DAY, 30, count(1)
        self.lives = {name: Life(name, date_of(day), told, OTHERS.get(name, ())) for name, (day, told) in WORLD.items()}
        self.holds: dict[str, Hold] = {}
        self.orphans: set[str] = set()  # documents that a crash may have left without an event
        for life in self.lives.values():
            if life.date is None or life.date < DAWN + DAYS[-1] * DAY:  # all but the last day is archived at first
                life.become("archived")
        self.settled()
        self.open()

    def open(self) -> None:
        """Begin anew, as another process does."""
        self.archive = open_archive(self.settings, clock=lambda: self.now)

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.archive.catalog.close()
        shutil.rmtree(self.folder)

    def at(self, archive: Archive, **changed: Any) -> Archive:
        """The archive under the policy in force, with no cap in the way."""
        values = {"max_delete_bytes": 2**40, "retention_days": self.days, "quarantine_days": 7, **changed}
        return replace(archive, settings=archive.settings.model_copy(update=values))

    def carry_out(self, archive: Archive, mode: str, before: Callable[[str], None] = lambda _: None) -> None:
        """A run of retention."""
        run_id = f"retention__{next(self.numbers)}"
        archive = self.at(archive, **({"max_delete_count": 0} if mode in ("approved", "unapproved") else {}))
        before("plan")
        as_of = self.now + 100 * DAY if mode == "dry" else None
        plan = make_plan(archive, run_id, dry_run=mode == "dry", as_of=as_of, triggered_by="bob")
        if mode != "dry":
            close_left_open(archive, run_id)
        if plan.needs_approval and mode != "unapproved":  # what surprises asks whatever the caps are
            approve(archive, run_id, plan_sha256=str(plan.sha256), actor="carol")
        for name, deed in (("quarantine", quarantine.quarantine), ("purge", quarantine.purge)):
            before(name)
            if plan.needs_approval and mode == "unapproved":
                with pytest.raises(PermanentError, match="needs approval"):
                    deed(archive, run_id, STOP)
            else:
                deed(archive, run_id, STOP)
        before("close")
        close(archive, run_id)

    def burn(
        self,
        perform: Callable[[Archive, Callable[[], None]], None],
        lit: tuple[int, bool],
        expected: dict[str, tuple[str, Any, Any]],
    ) -> None:
        """Do what comes to what is expected, or crashes, and then another process goes on from there."""
        fuse, known = Fuse(), self.documents()
        archive = self.at(
            replace(
                self.archive,
                store=FusedStore(self.settings.root, fuse),
                catalog=FusedCatalog(self.settings.catalog, fuse),
            )
        )

        def light() -> None:
            fuse.left, fuse.after = lit

        try:
            perform(archive, light)
        except Crash:
            self.archive.catalog.close()
            self.orphans |= self.documents() - known
            self.open()
            reached["crashed"] += 1
            self.reconcile(expected)
        else:
            self.expect(expected)
            self.settled()
        finally:
            archive.catalog.close()

    def held(self, life: Life) -> bool:
        """Test whether any hold keeps a recording."""
        return any(keeps(hold, life) for hold in self.holds.values())

    def fates(self) -> dict[str, tuple[str, Any, Any]]:
        """Facts after a run of retention, by recording."""
        return {
            life.name: fate(life, now=self.now, days=self.days, held=self.held(life), gone=self.is_gone(life))
            for life in self.lives.values()
        }

    def erased(self, subject: Subject) -> dict[str, tuple[str, Any, Any]]:
        """Facts after an erasure, by recording."""
        expected = {}
        numbers = {digits(number) for number in subject.numbers}
        for life in self.lives.values():
            held = self.held(life)
            sure = [life.told, *(party for party in life.others if party["certain"])]
            called = any(
                numbers & {digits(party.get("ani")), digits(party.get("dnis"))}
                or party.get("contact_id") in subject.contacts
                for party in sure
            )
            expected[life.name] = life.facts
            if life.name not in subject.ids and (life.nameless or not called):
                continue
            if life.stored and not held:
                expected[life.name] = ("erased", None, None)
            if life.state == "deleting" and life.action == "erase":
                stays = held and not self.is_gone(life)
                expected[life.name] = life.back() if stays else ("erased", None, None)
        return expected

    def expect(self, expected: dict[str, tuple[str, Any, Any]]) -> None:
        """Let the model be what is expected."""
        for name, facts in expected.items():
            life = self.lives[name]
            reached[f"{life.state} → {facts[0]}"] += life.state != facts[0]
            life.become(*facts)

    def settled(self) -> None:
        """All is sealed: nothing that the catalog knows can be lost with it, but intents."""
        for life in self.lives.values():
            if life.state != "deleting":
                life.past = [life.facts]

    def reconcile(self, expected: dict[str, tuple[str, Any, Any]]) -> None:
        """After a crash each recording is as it was, as it would have become, or on the way."""
        rows = self.rows()
        for name, wanted in expected.items():
            life, row = self.lives[name], rows.get(name)
            found = self.facts_of(row)
            if found[0] == "deleting" and life.state != "deleting":
                assert wanted[0] in ("purged", "erased"), (name, life.facts, wanted)
                assert row is not None
                life.before, life.action = (life.state, life.spared), row.deletion["action"]
                assert life.action == {"purged": "purge", "erased": "erase"}[wanted[0]]
                assert found[1] == life.since
            else:
                assert found in (life.facts, wanted), (name, life.facts, wanted)
            reached[f"cut: {life.state} → {found[0]}"] += life.state != found[0]
            life.become(*found)
            life.past.append(life.facts)

    def indexed(self, *, lost: bool) -> set[str]:
        """Take over what a new catalog may know instead; return what is expected to be bad."""
        rows, certificates, tombstones = self.rows(), self.certificates(), self.tombstones()
        lying = self.lying()
        for name, life in self.lives.items():
            allowed = [life.facts, *(life.past if lost else ())]
            if life.state == "deleting":
                certified = any(name in listed for listed in certificates.values())
                if certified:
                    allowed = [({"purge": "purged", "erase": "erased"}[life.action], None, None)]
                elif lost and name in tombstones:
                    life.nameless = True
                elif lost:  # the intent was in the catalog alone
                    allowed = [("absent", None, None)] if name not in lying else [life.back(), *life.past]
                    life.torn |= name in lying and self.is_gone(life)
            found = self.facts_of(rows.get(name))
            assert found in [facts for facts in allowed if facts[0] != "deleting" or life.state == "deleting"], name
            life.become(*found)
            if life.torn:
                life.verified, life.rotten = False, True
        return {life.name for life in self.lives.values() if life.torn}

    def alter(self, life: Life, change: dict[str, Any]) -> None:
        """Change a row of the catalog behind the archive's back."""
        with self.archive.catalog.write() as connection:
            connection.execute(update(recordings).where(recordings.c.interaction_id == life.name).values(**change))

    def facts_of(self, row: Row[Any] | None) -> tuple[str, datetime | None, datetime | None]:
        """A row as the model tells it."""
        if row is None or row.state == "discovered":
            return "absent", None, None
        if row.deleting_at is not None:
            return "deleting", row.quarantined_at, None
        until = (row.deletion or {}).get("restoredUntil") if row.state == "archived" else None
        since = row.quarantined_at if row.state == "quarantined" else None
        return str(row.state), since, until and datetime.fromisoformat(until)

    def rows(self) -> dict[str, Row[Any]]:
        """The catalog's recordings by interaction."""
        with self.archive.catalog.read() as connection:
            return {row.interaction_id: row for row in connection.execute(select(recordings)).all()}

    def documents(self) -> set[str]:
        """All keys that are not of recordings."""
        return {key for key in self.archive.store.list("") if not key.startswith("recordings/")}

    def lying(self) -> dict[str, set[str]]:
        """The files of each recording, whatever they are."""
        found: dict[str, set[str]] = {}
        root = self.settings.root
        for path in (root / "recordings").rglob("*"):
            if path.is_file():
                found.setdefault(path.name.partition("~")[0], set()).add(str(path.relative_to(root)))
        return found

    def tombstones(self) -> set[str]:
        """Recordings that have a tombstone."""
        return {path.name.partition("~")[0] for path in (self.settings.root / "tombstones").rglob("*.json")}

    def certificates(self) -> dict[str, set[str]]:
        """Recordings that each certificate lists, by its number."""
        return {
            path.stem: {part["interactionId"] for part in json.loads(path.read_bytes())["parts"]}
            for path in (self.settings.root / "certificates").rglob("*.json")
        }

    def object_of(self, life: Life) -> Path:
        """Path of a recording's object."""
        (path,) = (self.settings.root / "recordings").rglob(f"{life.name}~*.gz")
        return path

    def is_gone(self, life: Life) -> bool:
        """Test whether a recording's object is missing."""
        return not any((self.settings.root / "recordings").rglob(f"{life.name}~*.gz"))

"""The whole life of recordings in any order of events, against a small model that knows the rules and none of the code.

The model is plain values and the rules of retention as they are written down. Each rule of the machine does something
to a real archive and to the model, and after each the two must agree on every recording: its row, its bytes, what is
left of it. Where a run was cut short, a recording is either as it was before or as it would have become; and where the
catalog was lost on top of that, what no document in the archive tells may be forgotten with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from recording_archive import holds
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.rows import part_of
from recording_archive.disposition import quarantine
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.errors import StoreError
from recording_archive.fixity.verify import verify
from recording_archive.holds import Criteria
from recording_archive.ledger import sealing
from recording_archive.ledger.documents import part_name
from recording_archive.ledger.proof import Proof
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import IndexResult
from support.life_machine import ArchiveAndModel, reached
from support.life_model import DAWN, DAY, QUARANTINE, Hold
from support.life_world import DAYS, WORLD, archive_day, window_of
from support.runner import settings_below

some = st.sampled_from
LONDON = [
    (number,)
    for number in ("+442079460958", "0044 20 7946 0958", "sip:+442079460958@acme;x=1", "+44 (0)20 7946\u20110958")
]
HOLDS = st.one_of(
    st.builds(lambda each: Hold((each,), (), (), (), None, None), some(tuple(WORLD))),
    st.builds(
        Hold,
        ids=some([(), (), (), ("a1", "b1", "c1")]),
        agents=some([(), ("ann",), ("BOB", "nobody"), ("g-2",), ("\u201ccy\u201d",), ("nobody",)]),
        queues=some([(), (), ("SALES",), ("\u00a0q-2",), ("nowhere",)]),
        numbers=some([(), (), ("+1 (555) 0001",), ("15550009", "15550002"), ("4711",), *LONDON]),
        first=some([None, None, 5, 15]),
        last=some([None, None, 18, 25]),
    ),
).filter(lambda hold: hold != Hold((), (), (), (), None, None))
SUBJECTS = st.one_of(
    st.builds(lambda each: Subject(ids=(each,)), some(tuple(WORLD))),
    some(
        [
            Subject(numbers=("+1-555-0009",)),
            Subject(numbers=("tel:+44-20-7946-0958",)),
            Subject(contacts=("c-1",)),
            Subject(numbers=("15550002",), ids=("a3",)),
        ]
    ),
)
OTHER = "+12025550199"
ALTERED: list[dict[str, Any]] = [
    {"interaction_date": DAWN - 900 * DAY},
    {"agent_id": "x", "agent_name": "X", "queue_id": "x", "queue_name": "X", "parties": []},
    {"numbers": {"region": "", "certain": [OTHER], "possible": []}, "ani": OTHER, "dnis": OTHER, "parties": []},
    {"sha256": "0" * 64},
]
FUSES = st.tuples(st.integers(1, 12), st.booleans())


class Lives(ArchiveAndModel):
    """Everything that may happen to an archive and its model."""

    @rule(day=some(DAYS))
    def archive_day(self, day: int) -> None:
        """A run archives a day; what is gone, or about to go, is excluded."""
        window, counts = window_of(day), archive_day(self.archive, f"archive__{next(self.numbers)}", day)
        listed = [life for life in self.lives.values() if life.date is None or life.date in window]
        new = [life for life in listed if life.state == "absent"]
        here = sum(life.state == "archived" for life in listed)
        told = (counts["successful"], counts["alreadyArchived"], counts["excluded"], counts["failed"])
        assert told == (len(new), here, len(listed) - len(new) - here, 0)
        for life in new:
            life.become("archived")
            life.verified, life.rotten, life.torn, life.nameless = True, False, False, False
        reached["excluded"] += counts["excluded"]
        self.settled()

    @precondition(lambda self: len(self.holds) < 3)  # with many the machine would do nothing but keep
    @rule(hold=HOLDS)
    def hold(self, hold: Hold) -> None:
        """A person puts recordings on hold, those to come too."""
        start, end = (None if day is None else DAWN + day * DAY for day in (hold.first, hold.last))
        wanted = Criteria(hold.ids, hold.agents, hold.queues, hold.numbers, start, end)
        made, _ = holds.create(self.archive, matter="M", reason="R", criteria=wanted, actor="ann")
        self.holds[made.id] = hold
        self.settled()

    @precondition(lambda self: self.holds)
    @rule(left=some([0, 0, 1]))
    def release(self, left: int) -> None:
        """A person lets holds go, but for the oldest of them."""
        for hold_id in list(islice(self.holds, left, None)):
            holds.release(self.archive, hold_id, reason="R", actor="ann")
            del self.holds[hold_id]
        self.settled()

    @rule(days=some([8, 31]))
    def wait_and_retain(self, days: int) -> None:
        """A run of retention after days without any event, as most runs are."""
        self.now += days * DAY
        self.retain("free")

    @rule(mode=some(["free", "free", "free", "approved", "unapproved", "dry"]))
    def retain(self, mode: str) -> None:
        """A whole run of retention: plan, approval where it is needed, quarantine, purge, report."""
        expected = self.fates()
        if mode == "dry":
            expected = {life.name: life.facts for life in self.lives.values()}
        elif mode == "unapproved" and any(
            life.stored and expected[life.name][0] in ("quarantined", "purged") and expected[life.name] != life.facts
            for life in self.lives.values()
        ):  # nothing is done but to finish what is past return
            finished = {life.name: life.state == "deleting" and self.is_gone(life) for life in self.lives.values()}
            expected = {name: facts if finished[name] else self.lives[name].facts for name, facts in expected.items()}
        self.carry_out(self.archive, mode)
        self.expect(expected)
        self.settled()

    @precondition(lambda self: any(life.stored for life in self.lives.values()))
    @rule(number=st.integers(0, len(WORLD) - 1), change=some(ALTERED))
    def retain_what_was_altered(self, number: int, change: dict[str, Any]) -> None:
        """Somebody alters a row of the catalog before a run: its recording may be moved, and no byte of it goes."""
        stored = [life for life in self.lives.values() if life.stored and not life.torn and life.date is not None]
        if not stored:
            return
        life = stored[number % len(stored)]
        expected, row = self.fates(), self.rows()[life.name]
        self.alter(life, change)
        self.carry_out(self.archive, "free")
        self.alter(life, {name: getattr(row, name) for name in change})
        found = self.facts_of(self.rows()[life.name])
        assert found[0] in ("archived", "quarantined"), life.name
        reached["altered"] += expected[life.name][0] != "purged"
        self.expect(expected | {life.name: found})
        self.settled()

    @precondition(lambda self: self.holds)
    @rule()
    def retain_without_a_hold(self) -> None:
        """The document of a hold is lost: nothing goes before it is back."""
        path = self.settings.root / "holds" / f"{next(iter(self.holds))}.json"
        aside = path.rename(self.folder / path.name)
        with pytest.raises(StoreError, match="lost the document"):
            self.carry_out(self.archive, "free")
        aside.rename(path)
        reached["stopped"] += 1

    @rule(step=some(["plan", "quarantine", "purge", "close"]), fuse=FUSES)
    def retain_and_crash(self, step: str, fuse: tuple[int, bool]) -> None:
        """A run of retention that ends in the middle."""
        expected = self.fates()

        def perform(archive: Archive, light: Callable[[], None]) -> None:
            self.carry_out(archive, "free", lambda at: light() if at == step else None)

        self.burn(perform, fuse, expected)

    @rule(number=st.integers(0, len(WORLD) - 1), likely=st.booleans())
    def restore(self, number: int, likely: bool) -> None:
        """A person takes a recording out of quarantine; nothing brings back what is gone."""
        waiting = [life.name for life in self.lives.values() if life.state == "quarantined"] if likely else []
        names = waiting or list(WORLD)
        name = names[number % len(names)]
        life = self.lives[name]
        decisions = quarantine.restore(self.at(self.archive), name, reason="R", actor="ann")
        assert [each.refused is None for each in decisions] in ([life.state == "quarantined"], [])
        if life.state == "quarantined":
            life.become("archived", None, self.now + QUARANTINE)
            reached["restored"] += 1
        self.settled()

    @precondition(lambda self: any(life.state == "quarantined" for life in self.lives.values()))
    @rule(number=st.integers(0, len(WORLD) - 1))
    def restore_what_waits(self, number: int) -> None:
        """The same, of what is in quarantine now: it never is for long."""
        self.restore(number, likely=True)

    @rule(subject=SUBJECTS, fuse=st.one_of(st.just((0, False)), FUSES))
    def erase(self, subject: Subject, fuse: tuple[int, bool]) -> None:
        """A person has recordings erased, which may end in the middle; what is held stays."""

        def perform(archive: Archive, light: Callable[[], None]) -> None:
            light()
            erase(archive, subject, reason="request", actor="ann")

        self.burn(perform, fuse, self.erased(subject))

    @rule(name=some(tuple(WORLD)))
    def rot_or_heal(self, name: str) -> None:
        """A bit of an object turns over, or back; nobody knows before it is read."""
        life = self.lives[name]
        if life.stored and not life.torn:
            path = self.object_of(life)
            content = bytearray(path.read_bytes())
            content[30] ^= 1
            path.chmod(0o640)
            path.write_bytes(content)
            life.rotten = not life.rotten

    @rule(names=st.one_of(st.none(), st.lists(some(tuple(WORLD)), min_size=1, max_size=3, unique=True)))
    def verify(self, names: list[str] | None) -> None:
        """Recordings are read again: those that are damaged are found, and those that are sound again."""
        found = {each.part.interaction_id: each.problem for each in verify(self.archive, names)}
        sealing.seal(self.archive)
        for name in names or WORLD:
            life = self.lives[name]
            if life.stored:
                life.verified = not (life.rotten or life.torn)
                assert (found[name] is None) == life.verified, found[name]
                reached["unverified"] += not life.verified
            else:
                assert found.get(name, "absent") is not None
        self.settled()

    @rule(lost=st.booleans(), cut=st.one_of(st.none(), st.integers(1, 30)))
    def index_again(self, lost: bool, cut: int | None) -> None:
        """The catalog is rebuilt, at one go or at the second, after it was lost or for no reason."""
        self.archive.catalog.close()
        if lost:
            for path in self.folder.glob("catalog.db*"):
                path.unlink()
            with pytest.raises(StoreError, match="reindex"):
                self.open()
        if cut is not None:
            indexing = reindex(self.settings)
            list(islice(indexing, cut))
            getattr(indexing, "close")()  # noqa: B009  # an Iterator to those who type it
        bad = [found.key for found in reindex(self.settings) if found.result is IndexResult.BAD]
        self.open()
        sealing.seal(self.archive)
        assert {key.rpartition("/")[2].partition("~")[0] for key in bad} <= self.indexed(lost=lost), bad
        self.orphans.clear()
        self.settled()
        reached["lost"] += lost

    @rule(hours=some([-30, -5, -1, 24, 24 * 3, 24 * 8, 24 * 31, 24 * 100]))
    def jump(self, hours: int) -> None:
        """Time goes by, days or months; or the clock is set back a little."""
        self.now += timedelta(hours=hours)

    @rule(days=some([30, 30, 60]))
    def decide(self, days: int) -> None:
        """Another policy comes into force."""
        self.days = days

    @rule()
    def prove(self) -> None:
        """The ledger is intact but for lost objects; it may wonder about what a crash left untold or half deleted."""
        flaws = [flaw for flaw in Proof(self.archive.store, now=self.now).flaws() if flaw.tampered]
        rows = self.rows()
        half = {str(part_of(row)) for row in rows.values() if row.deleting_at is not None}
        torn = {rows[name].key for name, life in self.lives.items() if life.stored and life.torn}
        found = {flaw.place for flaw in flaws if part_name(flaw.place) not in half}
        assert found - self.orphans <= torn, flaws

    @invariant()
    def agree(self) -> None:
        """Model and archive agree on the row, the bytes and the remains of every recording."""
        reached["steps"] += 1
        rows, lying = self.rows(), self.lying()
        tombstones, certificates = self.tombstones(), self.certificates()
        for name, life in self.lives.items():
            row = rows.get(name)
            assert self.facts_of(row) == life.facts, name
            if life.stored:
                assert row is not None
                assert row.verified_ok is life.verified, name
                expected = {f"{row.key}", f"{row.key.removesuffix('.wav.gz')}.json"}
                assert lying.get(name, set()) == (expected - {row.key} if life.torn else expected)
            elif life.state != "deleting":
                assert name not in lying
            if life.state in ("purged", "erased"):
                assert row is not None
                assert name in tombstones
                assert name in certificates[row.certificate]
            elif life.state != "deleting":
                assert name not in tombstones
                assert all(name not in listed for listed in certificates.values())
        assert set(lying) <= set(WORLD)


def live(folder: Path, *, examples: int) -> Counter[str]:
    """Run the machine; return what it reached."""
    founded, numbers = folder / "founded", count(1)
    archive = open_archive(settings_below(founded), clock=lambda: DAWN + 20 * DAY)
    for day in DAYS[:-1]:
        archive_day(archive, f"archive__of_{day}", day)
    archive.catalog.close()

    class Here(Lives):
        def __init__(self) -> None:
            super().__init__(founded, folder / f"life-{next(numbers)}")

    reached.clear()
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            derandomize=True,  # the same lives each time: a gate that fails by chance is none
            database=None,
            deadline=None,
            print_blob=False,
            phases=[Phase.generate],  # a failing life is reported as it was: to shorten it would take long
            # an archive on a disk is slow and its steps are many; that says nothing about the strategies
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    return +reached


def check_reach(done: Counter[str], *, steps: int) -> None:
    """Raise AssertionError when the lives were too few, or too uneventful to prove anything."""
    ways = [("archived", "quarantined"), ("archived", "erased"), ("quarantined", "archived"), ("quarantined", "purged")]
    names = ("restored", "excluded", "unverified", "crashed", "lost", "altered", "stopped")
    names = (*names, *(f"{old} → {new}" for old, new in ways))
    assert done["steps"] >= steps, done
    assert {name: done[name] for name in names if done[name] < steps // 2_000} == {}, done


@pytest.mark.timeout(1_800)  # two minutes on a quiet machine
def test_whatever_happens_only_what_may_go_goes(in_memory: Path) -> None:
    """In 2,000 steps of any order nothing goes that may not, nothing comes back, and model and archive agree."""
    check_reach(live(in_memory, examples=52), steps=2_000)


@pytest.mark.long
@pytest.mark.timeout(10_800)  # twenty minutes on a quiet machine
def test_nor_in_ten_times_as_many_steps(in_memory: Path) -> None:
    """In 20,000 steps of any order the archive and the model agree as well."""
    check_reach(live(in_memory, examples=540), steps=20_000)

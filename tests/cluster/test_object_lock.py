"""Object lock on a real S3 server: what the archive asks the bucket for, and what the bucket then refuses."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from genesys_sandbox import Sandbox
from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.errors import PermanentError, StoreError
from recording_archive.locks.of_hold import follow_hold
from recording_archive.locks.reconcile import follow
from recording_archive.model import State
from recording_archive.store import s3
from recording_archive.store.base import Lock
from recording_archive.store.s3 import S3Store
from recording_archive.store.sidecar import beside
from support.commands import configure, run_command
from support.contents import events_of, ids, row_of, rows
from support.fixity_run import ALL, Verifying
from support.in_bucket import RETENTION_DAYS, TODAY, filled
from support.live_app import serve
from support.retention_run import at, enforce
from support.services import Bucket

pytestmark = pytest.mark.cluster

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def lockable(bucket: Bucket) -> str:
    """A bucket with object lock."""
    return bucket.make("lockable", lock=True)


@pytest.fixture(params=["governance", "compliance"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both modes of a lock."""
    return str(request.param)


@pytest.fixture
def archive(found: Callable[..., Archive], lockable: str, calls: Sandbox, mode: str) -> Archive:
    """An archive of four recordings that locks them."""
    return filled(found(lockable, object_lock=mode), calls)


def ends(archive: Archive, days: int = RETENTION_DAYS) -> dict[str, datetime]:
    """The end that the policy foretells, of each object and sidecar."""
    until = {row.key: row.interaction_date + timedelta(days=days) for row in rows(archive).values()}
    whole = {key: end.replace(microsecond=0) + SECOND * bool(end.microsecond) for key, end in until.items()}
    return whole | {beside(key): end for key, end in whole.items()}


def shown(archive: Archive) -> dict[str, datetime | None]:
    """The ends that the bucket shows."""
    return {key: archive.store.lock_of(key).until for key in ends(archive)}


def place(archive: Archive, key: str) -> dict[str, str]:
    """A key as boto3 wants it."""
    assert isinstance(archive.store, S3Store)
    return archive.store.at(key)


def test_each_recording_is_published_with_its_lock(archive: Archive, bucket: Bucket, mode: str) -> None:
    """The bucket keeps object and sidecar until the day that the policy foretells, and nobody deletes them before."""
    assert shown(archive) == ends(archive)
    assert len(events_of(archive, "locked")) == 4
    key = row_of(archive, ids(archive)[0]).key
    for name in (key, beside(key)):
        found = bucket.client().head_object(**place(archive, name))
        assert found["ObjectLockMode"] == mode.upper()
        with pytest.raises(ClientError, match="AccessDenied"):
            bucket.client().delete_object(**place(archive, name), VersionId=found["VersionId"])
        assert archive.store.remove(name) == ends(archive)[name]
    told = follow(archive).to_json()
    assert (told["recordings"], told["raised"], told["behind"]) == (4, 0, 0)


def test_a_longer_policy_raises_and_a_shorter_one_lowers_nothing(archive: Archive, bucket: Bucket, mode: str) -> None:
    """In both modes; the bucket itself refuses to shorten."""
    longer = replace(archive, settings=archive.settings.model_copy(update={"retention_days": 2 * RETENTION_DAYS}))
    assert follow(longer).to_json()["raised"] == 4
    assert shown(archive) == ends(archive, 2 * RETENTION_DAYS)
    follow(archive)
    assert shown(archive) == ends(archive, 2 * RETENTION_DAYS)
    key = row_of(archive, ids(archive)[0]).key
    shorter = {"Mode": mode.upper(), "RetainUntilDate": ends(archive)[key]}
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.client().put_object_retention(**place(archive, key), Retention=shorter)


def test_the_legal_hold_is_set_with_each_hold_and_cleared_with_the_last(archive: Archive) -> None:
    """Of object and sidecar; a recording that arrives under a hold is published with it."""
    mine = ids(archive)[0]
    key = row_of(archive, mine).key
    made = [
        holds.create(archive, matter=m, reason="R", criteria=holds.Criteria(interaction_ids=(mine,)), actor="ann")[0]
        for m in ("one", "two")
    ]
    for each in made:
        follow_hold(archive, each)
    held = {name for name in ends(archive) if archive.store.lock_of(name).held}
    assert held == {key, beside(key)}
    with pytest.raises(PermanentError, match="legal hold"):
        archive.store.remove(key)
    for each, still in zip(made, (True, False), strict=True):
        follow_hold(archive, holds.release(archive, each.id, reason="settled", actor="ann"))
        assert archive.store.lock_of(key).held == still
    assert shown(archive) == ends(archive)


def test_a_recording_that_arrives_under_a_hold_is_held_at_once(
    found: Callable[..., Archive], lockable: str, calls: Sandbox
) -> None:
    """The flag comes with the object, not with the next run."""
    empty, first = found(lockable, object_lock="governance"), calls.library[0].id
    holds.create(empty, matter="M", reason="R", criteria=holds.Criteria(interaction_ids=(first,)), actor="ann")
    archive = filled(empty, calls)
    assert {name for name in ids(archive) if archive.store.lock_of(row_of(archive, name).key).held} == {first}


def test_purge_waits_for_the_lock(found: Callable[..., Archive], bucket: Bucket, lockable: str, calls: Sandbox) -> None:
    """Locked or held by somebody else: kept and said, and the others go, every version of them."""
    archive = filled(found(lockable, retention_days=1), calls)
    locked, held, *free = ids(archive)
    keys = {name: row.key for name, row in rows(archive).items()}
    until, client = datetime.now(UTC) + timedelta(days=400), bucket.client()
    client.put_object_retention(
        **place(archive, keys[locked]), Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until}
    )
    client.put_object_legal_hold(**place(archive, beside(keys[held])), LegalHold={"Status": "ON"})
    expired = TODAY + timedelta(days=10)
    assert enforce(at(archive, expired), "retention__1").quarantined == 4
    ended = enforce(at(archive, expired + timedelta(days=20)), "retention__2")
    assert (ended.purged, ended.closed.problems) == (2, ())
    assert ended.entries[locked]["why"].startswith(f"its object lock ends on {until:%Y-%m-%d}")
    assert "a legal hold on it that no hold of this archive asks for" in ended.entries[held]["why"]
    stems = {name: place(archive, key.partition(".")[0])["Key"] for name, key in keys.items()}
    left = {name: bucket.versions(lockable, stem) for name, stem in stems.items()}
    assert {name: len(versions) for name, versions in left.items()} == {locked: 2, held: 2, **dict.fromkeys(free, 0)}
    assert {row_of(archive, each).state for each in free} == {State.PURGED}
    assert [row_of(archive, each).state for each in (locked, held)] == [State.QUARANTINED] * 2


def test_a_bucket_without_locks_takes_nothing(found: Callable[..., Archive], bucket: Bucket, calls: Sandbox) -> None:
    """Nothing is archived without the lock that was asked for, and the error says what to do."""
    archive = found(bucket.make(f"plain-{uuid.uuid4().hex[:8]}"), object_lock="compliance")
    with pytest.raises(StoreError, match="RECORDING_ARCHIVE_OBJECT_LOCK=off"):
        filled(archive, calls)
    assert not list(archive.store.list("recordings/"))


def test_a_repaired_recording_is_locked_again(archive: Archive, bucket: Bucket, calls: Sandbox) -> None:
    """Somebody put other bytes over it, which no lock prevents: the version that a repair makes has the lock."""
    key = row_of(archive, ids(archive)[0]).key
    bucket.client().put_object(**place(archive, key), Body=b"other bytes")
    assert archive.store.lock_of(key) == Lock()
    verify = Verifying(calls)
    verify.read_all(archive, "v", ALL)
    verify.repair(archive, "v")
    assert archive.store.lock_of(key).until == ends(archive)[key]
    told = follow(archive).to_json()
    assert (told["raised"], told["behind"], len(events_of(archive, "locked"))) == (0, 0, 5)


def test_people_are_told_of_the_locks(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By `check`, by `hold create` and `hold release`; over REST the flag is set before the answer."""
    configure(archive.settings, monkeypatch)
    monkeypatch.setenv("RECORDING_ARCHIVE_OBJECT_LOCK", archive.settings.object_lock)
    monkeypatch.setenv("RECORDING_ARCHIVE_RETENTION_DAYS", str(RETENTION_DAYS))
    run = partial(run_command, capsys)
    mine, other, *_ = ids(archive)
    made = run("hold", "create", "--matter", "M", "--reason", "R", "--id", mine, "--json")
    told = json.loads(made.out)
    assert (made.code, told["locks"]["held"], told["locks"]["behind"]) == (0, 1, 0)
    assert archive.store.lock_of(row_of(archive, mine).key).held
    ended = run("hold", "release", told["id"], "--reason", "settled")
    assert "legal holds in the bucket: 0 set, 1 cleared, 0 behind" in ended.out
    assert not archive.store.lock_of(row_of(archive, mine).key).held
    wanted = {"matter": "M", "reason": "R", "interactionIds": [other]}
    with serve(archive) as address:
        reply = requests.post(f"{address}api/holds", json=wanted, timeout=30)
        assert (reply.status_code, archive.store.lock_of(row_of(archive, other).key).held) == (201, True)
        gone = requests.post(f"{address}api/holds/{reply.json()['id']}/release", json={"reason": "settled"}, timeout=30)
        assert (gone.status_code, archive.store.lock_of(row_of(archive, other).key).held) == (200, False)
    assert "refuses to delete what is locked" in run("check").out


class TestCheck:
    """`recording-archive check` tries the bucket, and leaves nothing there."""

    def test_it_proves_that_the_bucket_refuses(self, bucket: Bucket, lockable: str, mode: str) -> None:
        """Deleting what is locked or held, shortening a lock; and it tells that a delete marker can hide an object."""
        store = S3Store(bucket.client(), lockable, uuid.uuid4().hex, lock_mode=mode.upper())
        told = store.try_locks()
        assert f"refuses to delete what is locked ({mode}) or held, and to shorten a lock" in told
        assert "a delete marker can still hide an object" in told
        assert bucket.versions(lockable, str(store).removeprefix(f"s3://{lockable}/")) == []

    def test_a_bucket_that_does_not_refuse_is_found(self, bucket: Bucket, lockable: str) -> None:
        """A store that takes locks and forgets them is no place for evidence."""
        client = bucket.client()

        def forget(params: dict[str, Any], **_: Any) -> None:
            for name in [name for name in params["headers"] if "object-lock" in name.lower()]:
                del params["headers"][name]

        client.meta.events.register("before-call.s3.PutObject", forget)
        with pytest.raises(StoreError, match="DELETED an object that was held"):
            S3Store(client, lockable, uuid.uuid4().hex, lock_mode="GOVERNANCE").try_locks()

    def test_a_bucket_without_locks_is_told(self, bucket: Bucket, lockable: str) -> None:
        """With the setting it is an error, without it a sentence."""
        plain = bucket.make(f"plain-{uuid.uuid4().hex[:8]}")
        with pytest.raises(StoreError, match="has no object lock"):
            S3Store(bucket.client(), plain, lock_mode="GOVERNANCE").try_locks()
        assert "whoever has the right to delete" in S3Store(bucket.client(), plain).try_locks()
        assert "the bucket has it" in S3Store(bucket.client(), lockable).try_locks()


class TestVersions:
    """A lock is of one version, and each version that the archive makes has one."""

    UNTIL = TODAY + timedelta(days=30)

    @pytest.fixture
    def store(self, bucket: Bucket, lockable: str) -> S3Store:
        """A store that locks."""
        return S3Store(bucket.client(), lockable, uuid.uuid4().hex, lock_mode="GOVERNANCE")

    def test_a_large_object_is_locked_as_well(self, store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that goes up in parts."""
        monkeypatch.setattr(s3, "PART_BYTES", 5 * 2**20)
        monkeypatch.setattr(s3, "SINGLE_PUT_BYTES", 5 * 2**20)
        with store.begin("large") as draft:
            draft.file.write(bytes(6 * 2**20))
            assert draft.publish(Lock(self.UNTIL, held=True))
        assert store.lock_of("large") == Lock(self.UNTIL, held=True)

    def test_what_a_repair_puts_in_place_is_locked(self, store: S3Store) -> None:
        """The bad version keeps its lock, the new one gets its own."""
        for content in (b"rotten", b"whole"):
            with store.begin("a") as draft:
                draft.file.write(content)
                draft.seal()
                lock = Lock(self.UNTIL)
                assert draft.publish(lock) if content == b"rotten" else draft.replace("rejected/a", lock)
        assert store.lock_of("a") == Lock(self.UNTIL)
        assert store.remove("a") == self.UNTIL
        assert store.read("a") == b"whole"

    def test_a_killed_check_is_swept(self, store: S3Store) -> None:
        """What it left goes with the other left-overs."""
        store.put("check-locks/left", b"check")
        store.sweep(datetime.now(UTC) - timedelta(hours=1))
        assert list(store.list("check-locks/")) == []

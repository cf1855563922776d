"""The contract of every store, on a real S3 server; and what only a bucket does."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recording_archive.errors import StoreError, TransientError
from recording_archive.store.s3 import SINGLE_PUT_BYTES, S3Store
from recording_archive.store.staging import BucketStaging, LocalStaging
from support.services import Bucket
from support.store_contract import CREATED, KEY, StoreContract

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="session")
def versioned(bucket: Bucket) -> str:
    """A bucket with versions and object lock, as production has."""
    return bucket.make("versioned", lock=True)


@pytest.fixture
def store(bucket: Bucket, versioned: str) -> S3Store:
    """A founded archive below a prefix of its own."""
    made = S3Store(bucket.client(), versioned, uuid.uuid4().hex)
    made.found("0" * 32, CREATED)
    return made


class TestContract(StoreContract):
    """The contract of every store, held by a bucket."""


def test_large_objects_go_up_in_parts(store: S3Store) -> None:
    """An object larger than one PUT comes back byte for byte, from any place, and its key is taken from then on."""
    content = bytes(range(256)) * (SINGLE_PUT_BYTES // 256 + 1000)
    assert store.put("big", content)
    assert not store.put("big", content)
    with store.open("big") as file:
        file.seek(50_000_001)
        assert file.read(10) == content[50_000_001:50_000_011]
        file.seek(0)
        assert file.read() == content


def test_remove_leaves_no_version(store: S3Store, bucket: Bucket, versioned: str) -> None:
    """Every version and every delete marker goes, and the key's neighbours stay."""
    client, full = bucket.client(), f"{store}/{KEY}".removeprefix(f"s3://{versioned}/")
    store.put(KEY, b"first")
    client.delete_object(Bucket=versioned, Key=full)  # what a careless administrator does
    client.put_object(Bucket=versioned, Key=full, Body=b"second")
    store.put(f"{KEY}.more", b"neighbour")
    assert store.remove(KEY) is None
    left = client.list_object_versions(Bucket=versioned, Prefix=full)
    assert [each["Key"] for each in left["Versions"]] == [f"{full}.more"]
    assert "DeleteMarkers" not in left
    assert store.remove(KEY) is None


def test_a_locked_object_says_until_when(store: S3Store, bucket: Bucket, versioned: str) -> None:
    """What a lock keeps is not called removed: the answer is the lock's end, and the object is still there."""
    until = datetime.now(UTC) + timedelta(hours=1)
    full = f"{store}/{KEY}".removeprefix(f"s3://{versioned}/")
    bucket.client().put_object(
        Bucket=versioned, Key=full, Body=b"kept", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until
    )
    told = store.remove(KEY)
    assert told is not None
    assert abs(told - until) < timedelta(seconds=2)
    assert store.read(KEY) == b"kept"


def test_a_missing_bucket_is_no_empty_archive(bucket: Bucket) -> None:
    """A mistyped bucket is an error with its name, for every use."""
    stranger = S3Store(bucket.client(), "mistyped")
    for use in (stranger.identity, lambda: list(stranger.list("")), lambda: stranger.put("a", b""), stranger.probe):
        with pytest.raises(StoreError, match="mistyped"):
            use()


def test_wrong_credentials_name_the_remedy(bucket: Bucket, versioned: str) -> None:
    """A wrong key says what to correct."""
    with pytest.raises(StoreError, match="correct the secret key"):
        list(S3Store(bucket.client(secret="wrong"), versioned).list(""))


def test_every_object_is_encrypted_by_the_key(bucket: Bucket, versioned: str) -> None:
    """With a KMS key configured no object is sent without it, in one piece or in parts."""
    client, sent = bucket.client(), list[dict[str, Any]]()

    def note(params: dict[str, Any], **_: Any) -> None:
        sent.append(params["headers"])

    for operation in ("PutObject", "CreateMultipartUpload"):
        client.meta.events.register(f"before-call.s3.{operation}", note)
    store = S3Store(client, versioned, uuid.uuid4().hex, kms_key="key-of-the-archive")
    for content in (b"small", bytes(SINGLE_PUT_BYTES + 1)):
        try:
            store.put(uuid.uuid4().hex, content)
        except (StoreError, TransientError):
            continue  # this server has no KMS
    assert len(sent) >= 2
    for headers in sent:
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "key-of-the-archive"


def test_sweep_aborts_stale_uploads(store: S3Store, bucket: Bucket, versioned: str) -> None:
    """What a killed writer left of a multipart upload goes by age."""
    prefix = str(store).removeprefix(f"s3://{versioned}/")
    bucket.client().create_multipart_upload(Bucket=versioned, Key=f"{prefix}/half")
    assert store.sweep(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert store.sweep(datetime.now(UTC) + timedelta(hours=1)) == 1


def test_probe_tells_what_the_bucket_is_like(store: S3Store) -> None:
    """`check` can say whether versions are kept and whether anything is encrypted."""
    assert "versioning enabled" in store.probe()
    assert "NOT encrypted" in store.probe()


def test_staging_in_a_bucket_is_taken_up_by_any_worker(bucket: Bucket, tmp_path: Any) -> None:
    """What one machine staged another reads; an earlier attempt's bytes are replaced, and left-overs go."""
    staged = S3Store(bucket.client(), bucket.make(f"staging-{uuid.uuid4().hex[:8]}"))
    here, there = (BucketStaging(staged, LocalStaging(tmp_path / name)) for name in ("here", "there"))
    for content in (b"first attempt", b"second"):
        here.target("run", 1).write_bytes(content)
        here.share("run", 1)
    assert not here.target("run", 1).exists()
    with there.opened("run", 1) as (file, is_packed):
        assert (file.read(), is_packed) == (b"second", False)
    there.drop("run", lambda number: number == 1)
    with pytest.raises(FileNotFoundError), there.opened("run", 1):
        pass


def test_a_repair_keeps_the_old_object_and_gives_the_new_one_its_key(store: S3Store) -> None:
    """After a replacement the key has the new bytes, and the old ones lie where they were to be kept."""
    store.put(KEY, b"rotten")
    with store.begin(KEY) as draft:
        draft.file.write(b"whole")
        draft.seal()
        assert draft.replace("rejected/a")
    assert (store.read(KEY), store.read("rejected/a")) == (b"whole", b"rotten")
    with store.begin(KEY) as draft:
        draft.file.write(b"another")
        draft.seal()
        assert not draft.replace("rejected/a")
    assert store.read(KEY) == b"whole"

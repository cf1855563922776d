"""The contract that every store holds: a test class whose fixture ``store`` makes a founded archive."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from recording_archive.errors import PermanentError, RunError, StoreError
from recording_archive.store.base import Store

KEY = "recordings/org=default/year=2026/month=11/day=21/a~b~0.wav.gz"
CREATED = datetime(2026, 11, 21, tzinfo=UTC)


class StoreContract:
    """Tests that hold for every store."""

    def test_published_content_is_read_back(self, store: Store) -> None:
        """A published object has its key, its size and its bytes, and can be read from any place."""
        with store.begin(KEY) as draft:
            draft.file.write(b"one")
            draft.file.write(b" two")
            draft.seal()
            assert draft.publish()
        store.sync([KEY])
        with store.open(KEY) as file:
            assert file.read() == b"one two"
            assert file.seek(4) == 4
            assert file.read() == b"two"
        assert store.size(KEY) == 7

    def test_sealed_draft_reads_from_its_beginning(self, store: Store) -> None:
        """A sealed draft is read back before it has its key."""
        with store.begin(KEY) as draft:
            draft.file.write(b"media")
            draft.seal()
            assert draft.file.read() == b"media"
            assert store.size(KEY) is None

    def test_sealed_draft_cannot_be_changed(self, store: Store) -> None:
        """What was read back is what is published: after sealing there is no writing."""
        with store.begin(KEY) as draft:
            draft.seal()
            with pytest.raises(OSError, match="write"):
                draft.file.write(b"late")

    def test_publishing_seals(self, store: Store) -> None:
        """Nothing is published with bytes still in a buffer, even when the caller forgets to seal."""
        with store.begin(KEY) as draft:
            draft.file.write(b"media")
            draft.publish()
        assert store.read(KEY) == b"media"

    def test_nothing_is_visible_before_publishing(self, store: Store) -> None:
        """A draft, sealed or not, is neither listed nor found."""
        with store.begin(KEY) as draft:
            draft.file.write(b"media")
            draft.seal()
            assert list(store.list("")) == ["archive.json"]
            assert store.size(KEY) is None

    def test_unpublished_draft_vanishes(self, store: Store) -> None:
        """Leaving without publishing, by an error or not, leaves nothing to sweep."""
        with suppress(ZeroDivisionError), store.begin(KEY) as draft:
            draft.file.write(b"media")
            raise ZeroDivisionError
        with store.begin(KEY):
            pass
        assert list(store.list("recordings")) == []
        assert store.sweep(datetime.now(UTC) + timedelta(days=1)) == 0

    def test_taken_key_stays_as_it_is(self, store: Store) -> None:
        """The second to publish under a key is told so and changes nothing."""
        assert store.put(KEY, b"first")
        assert not store.put(KEY, b"second")
        assert store.read(KEY) == b"first"

    def test_of_racing_writers_exactly_one_wins(self, store: Store) -> None:
        """However many threads publish one key at once, one succeeds and its bytes are there."""
        for round_number in range(20):
            key, barrier = f"race/{round_number}.json", threading.Barrier(4)

            def write(content: bytes, key: str = key, barrier: threading.Barrier = barrier) -> bool:
                with store.begin(key) as draft:
                    draft.file.write(content)
                    draft.seal()
                    barrier.wait(10)
                    return draft.publish()

            contents = [b"a", b"b", b"c", b"d"]
            with ThreadPoolExecutor(4) as pool:
                won = list(pool.map(write, contents))
            assert won.count(True) == 1
            assert store.read(key) == contents[won.index(True)]

    def test_absent_object_is_none_or_an_error_with_its_key(self, store: Store) -> None:
        """Size answers None; opening and reading say which key is missing, and concern that object alone."""
        for key in (KEY, "nothing.json"):
            assert store.size(key) is None
            for use in (store.open, store.read):
                with pytest.raises(PermanentError, match=key) as caught:
                    use(key)
                assert not isinstance(caught.value, RunError)

    def test_read_is_bounded(self, store: Store) -> None:
        """A document that is larger than it may be is refused instead of filling memory."""
        store.put("a.json", b"12345")
        assert store.read("a.json", 5) == b"12345"
        with pytest.raises(PermanentError, match=r"a\.json.*larger"):
            store.read("a.json", 4)

    def test_list_is_sorted_by_whole_keys(self, store: Store) -> None:
        """Keys come in the order of their characters, as they do from an object store."""
        keys = ["a.json", "a-b/c", "a/b", "a/b-c/d", "a/b.c", "a/b0", "a0", "b/x/y/z"]
        for key in keys:
            store.put(key, b"")
        assert list(store.list("")) == sorted([*keys, "archive.json"])

    @pytest.mark.parametrize(
        ("prefix", "found"),
        [
            ("d/", ["d/e/f", "d/g"]),
            ("d", ["d/e/f", "d/g", "dh"]),
            ("d/e", ["d/e/f"]),
            ("d/e/", ["d/e/f"]),
            ("d/g", ["d/g"]),
            ("x/y/", []),
            ("d/g/", []),
        ],
    )
    def test_list_takes_any_prefix(self, store: Store, prefix: str, found: list[str]) -> None:
        """A prefix is a text that keys begin with; one that nothing begins with lists nothing."""
        for key in ("d/e/f", "d/g", "dh"):
            store.put(key, b"")
        assert list(store.list(prefix)) == found

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/",
            "/etc/passwd",
            ".",
            "..",
            "../x",
            "a/../x",
            "a/./x",
            "a//x",
            "a/",
            "/a",
            "~",
            "~/x",
            "a/~root",
            "\\\\server\\share",
            "//server/share",
            "a\\b",
            "C:\\x",
            "a\0b",
            "a\nb",
            "a\x7fb",
            ".hidden",
            "a/.0123456789abcdef0123456789abcdef.tmp",
            "．．/x",
            "a／b",
            "‥/x",
            "ä",
            "a\u0308",
            "a\u202eb",
            "a b",
            "a" * 300,
            "/".join(["a" * 200] * 6),
        ],
    )
    def test_unsafe_keys_are_refused(self, store: Store, key: str) -> None:
        """No key that could leave the root, hide, or be read in two ways does anything."""
        before = list(store.list(""))
        for use in (store.open, store.read, store.size, lambda k: store.put(k, b""), lambda k: store.sync([k])):
            with pytest.raises(PermanentError, match="cannot be a key"):
                use(key)
        assert list(store.list("")) == before

    def test_ids_and_partitions_make_valid_keys(self, store: Store) -> None:
        """Keys the archive makes are accepted, up to the longest ids."""
        key = f"recordings/org=a.b/undated/{'i' * 100}~{'r' * 100}~12.wav.gz"
        assert store.put(key, b"x")
        assert store.put("reports/2026-11-21/-manual__2026-11-21T00-00-00-00-00/1/report.csv", b"x")
        assert store.size(key) == 1

    def test_identity_is_founded_once(self, store: Store) -> None:
        """A place keeps its identity: the same id may be founded again, another is refused naming both."""
        store.found("0" * 32, CREATED)
        with pytest.raises(StoreError, match="0" * 32 + ".*" + "1" * 32):
            store.found("1" * 32, CREATED)
        assert store.identity() == "0" * 32

    def test_sweep_spares_young_drafts(self, store: Store) -> None:
        """A draft that is being written is not swept away from under its writer."""
        with store.begin(KEY) as draft:
            draft.file.write(b"media")
            assert store.sweep(datetime.now(UTC) - timedelta(hours=1)) == 0
            assert draft.publish()

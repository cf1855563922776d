"""The policy in force: in the archive or elsewhere, and how another one is adopted."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import events
from recording_archive.errors import ConfigurationError, StoreError
from recording_archive.ledger import chain
from recording_archive.recovery.reindex import reindex
from recording_archive.retention import policy_in_force
from recording_archive.retention.policy_in_force import adopt, foreign, in_force, keep, newest, tell

SHORT = b"name: short\ndefaultDays: 30\n"
LONG = b"name: long\ndefaultDays: 3000\n"
RULES = b"""name: Bank
defaultDays: 90
rules:
  - name: trading
    days: 2555
    queues: [Trading]
"""
RULE = RULES.partition(b"rules:\n")[2]


def told(archive: Archive) -> list[Any]:
    """The events of adopted policies, oldest first."""
    with archive.catalog.read() as connection:
        query = select(events).where(events.c.kind == "adopted").order_by(events.c.id)
        return list(connection.execute(query))


def documents(archive: Archive) -> dict[str, bytes]:
    """The policies in the archive."""
    return {key: archive.store.read(key) for key in archive.store.list("policies/")}


def elsewhere(archive: Archive, url: Path | str) -> Archive:
    """The archive with ``RECORDING_ARCHIVE_POLICY_URL`` set."""
    return replace(archive, settings=archive.settings.model_copy(update={"policy_url": str(url)}))


class TestInForce:
    """`in_force`: which policy decides."""

    def test_without_any_the_settings_decide(self, archive: Archive) -> None:
        """Their days are the version, so that every plan tells them; there is nothing to keep."""
        policy = in_force(archive)
        assert (policy.version, policy.default_days, policy.rules) == ("default:90", 90, ())
        assert keep(archive, policy) is None
        assert documents(archive) == {}
        assert told(archive) == []

    def test_the_highest_number_is_in_force(self, archive: Archive) -> None:
        """Going back is adopting the old one again, under a new number."""
        for content in (SHORT, LONG, SHORT):
            assert adopt(archive, content, "p.yaml", actor="rosa") == in_force(archive)
        assert documents(archive) == {
            "policies/000001.yaml": SHORT,
            "policies/000002.yaml": LONG,
            "policies/000003.yaml": SHORT,
        }
        assert in_force(archive).origin == "policies/000003.yaml"

    def test_a_changed_document_is_not_used(self, archive: Archive) -> None:
        """It is named with both hashes; only another adoption, of whatever policy, ends that."""
        adopt(archive, LONG, "p.yaml", actor="rosa")
        path = archive.settings.root / "policies" / "000001.yaml"
        path.chmod(0o640)
        path.write_bytes(SHORT)
        with pytest.raises(StoreError, match="adopted was") as refused:
            in_force(archive)
        for content in (SHORT, LONG):
            assert sha256(content).hexdigest() in str(refused.value)
        assert adopt(archive, SHORT, "p.yaml", actor="rosa").origin == "policies/000002.yaml"
        assert in_force(archive).name == "short"

    @pytest.mark.parametrize("name", ["policy.yaml", "000001.yml", "1.YAML", "000001.json", "000002/a.yaml"])
    def test_a_file_without_a_number_is_not_passed_over(self, archive: Archive, name: str) -> None:
        """Who puts a file there by hand learns how to adopt it, instead of having the default used."""
        path = archive.settings.root / "policies" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(LONG)
        with pytest.raises(ConfigurationError, match="recording-archive retention adopt"):
            in_force(archive)
        with pytest.raises(ConfigurationError, match="numbers them"):
            adopt(archive, SHORT, "p.yaml", actor="rosa")

    def test_other_files_are_not_policies(self, archive: Archive) -> None:
        """A note beside the policies disturbs nothing."""
        adopt(archive, LONG, "p.yaml", actor="rosa")
        (archive.settings.root / "policies" / "README.txt").write_text("ours")
        assert in_force(archive).name == "long"

    def test_a_damaged_document_is_named(self, archive: Archive) -> None:
        """A policy in the archive that cannot be understood stops everything but adopting another one."""
        archive.store.put("policies/000001.yaml", b"name: x\ndefaultDays: never")
        tell(archive, "policies/000001.yaml", "0" * 64)
        with pytest.raises(ConfigurationError, match=r"policies/000001\.yaml, line 2: defaultDays must be"):
            in_force(archive)
        assert adopt(archive, LONG, "p.yaml", actor="rosa").origin == "policies/000002.yaml"

    def test_a_foreign_document_is_not_in_force(self, archive: Archive) -> None:
        """Nobody adopted it: it stops everything but adopting another one, and below that it disturbs nothing."""
        adopt(archive, LONG, "p.yaml", actor="rosa")
        (archive.settings.root / "policies/000007.yaml").write_bytes(SHORT)
        with pytest.raises(StoreError, match=r"policies/000007\.yaml .* is foreign.*take-up policies/000007\.yaml"):
            in_force(archive)
        assert foreign(archive) == ["policies/000007.yaml"]
        assert adopt(archive, LONG, "p.yaml", actor="rosa").origin == "policies/000008.yaml"
        assert in_force(archive).name == "long"
        assert foreign(archive) == ["policies/000007.yaml"]

    def test_a_lost_document_is_not_passed_over(self, archive: Archive) -> None:
        """Neither an older policy nor the days of the settings take its place; a new one gets a new number."""
        adopt(archive, SHORT, "p.yaml", actor="rosa")
        adopt(archive, LONG, "p.yaml", actor="rosa")
        for number in (2, 1):
            (archive.settings.root / f"policies/00000{number}.yaml").unlink()
            with pytest.raises(StoreError, match=r"policies/000002\.yaml was adopted by the ledger's word and is gone"):
                in_force(archive)
        assert adopt(archive, SHORT, "p.yaml", actor="rosa").origin == "policies/000003.yaml"
        assert in_force(archive).name == "short"

    def test_a_rebuilt_catalog_has_the_same_policy(self, archive: Archive) -> None:
        """The archive tells it, and a change since its adoption is still seen."""
        adopted = adopt(archive, LONG, "p.yaml", actor="rosa")
        archive.catalog.close()
        for path in archive.settings.root.parent.glob("catalog.db*"):
            path.unlink()
        assert list(reindex(archive.settings)) is not None
        rebuilt = open_archive(archive.settings)
        assert in_force(rebuilt) == adopted
        assert keep(rebuilt, adopted) == "policies/000001.yaml"
        path = archive.settings.root / "policies" / "000001.yaml"
        path.chmod(0o640)
        path.write_bytes(SHORT)
        with pytest.raises(StoreError, match="adopted was"):
            in_force(rebuilt)
        rebuilt.catalog.close()


class TestElsewhere:
    """A policy that `RECORDING_ARCHIVE_POLICY_URL` names."""

    def test_a_file(self, archive: Archive, tmp_path: Path) -> None:
        """By path or by file URL; what the archive holds is not in force then."""
        adopt(archive, SHORT, "p.yaml", actor="rosa")
        path = tmp_path / "policy.txt"
        path.write_bytes(LONG)
        for url in (path, f"file://{path}"):
            policy = in_force(elsewhere(archive, url))
            assert (policy.name, policy.origin) == ("long", str(path))

    def test_the_newest_of_a_folder(self, archive: Archive, tmp_path: Path) -> None:
        """The highest name, its numbers taken as numbers; links are followed, as mounted configurations are made."""
        folder = tmp_path / "policies"
        folder.mkdir()
        for name in ("2.yaml", "9.yaml", ".z.yaml", "zz.txt"):
            (folder / name).write_bytes(SHORT)
        target = tmp_path / "target"
        target.write_bytes(LONG)
        (folder / "10.yml").symlink_to(target)
        assert in_force(elsewhere(archive, folder)).origin == str(folder / "10.yml")
        (folder / "11.JSON").write_bytes(b'{"name": "json", "defaultDays": 7}')
        assert in_force(elsewhere(archive, folder)).name == "json"

    @pytest.mark.parametrize(
        ("url", "problem"),
        [
            ("s3://bucket/policies", "only a file, a folder and file:// are supported"),
            ("/nowhere/policy.yaml", "/nowhere/policy.yaml is not a file"),
            ("/dev/null", "/dev/null is not a file"),
        ],
    )
    def test_what_cannot_be_read_is_not_the_default(self, archive: Archive, url: str, problem: str) -> None:
        """A mistyped place must not make 90 days of seven years."""
        adopt(archive, LONG, "p.yaml", actor="rosa")
        with pytest.raises(ConfigurationError, match=re.escape(problem)):
            in_force(elsewhere(archive, url))

    def test_an_empty_folder_is_not_the_default(self, archive: Archive, tmp_path: Path) -> None:
        """Nor is one that holds other files only."""
        folder = tmp_path / "empty"
        folder.mkdir()
        (folder / "notes.txt").write_text("")
        with pytest.raises(ConfigurationError, match="holds no policy"):
            in_force(elsewhere(archive, folder))

    def test_the_archives_own_folder(self, archive: Archive) -> None:
        """To name it is to name no other place."""
        adopt(archive, LONG, "p.yaml", actor="rosa")
        same = elsewhere(archive, archive.settings.root / "policies")
        assert in_force(same).origin == "policies/000001.yaml"
        assert adopt(same, SHORT, "p.yaml", actor="rosa").origin == "policies/000002.yaml"

    def test_it_lies_in_the_archive_before_it_is_used(self, archive: Archive, tmp_path: Path) -> None:
        """Once for each change, with an event of the run; what was read is kept, whatever the file says by now."""
        path = tmp_path / "policy.yaml"
        using = elsewhere(archive, path)
        for content in (SHORT, SHORT, LONG, SHORT):
            path.write_bytes(content)
            policy = in_force(using)
            path.write_bytes(b"name: later")
            key = keep(using, policy, run_id="retention__1")
            assert key
            assert archive.store.read(key) == content
        assert list(documents(archive).values()) == [SHORT, LONG, SHORT]
        files = {key: sha256(content).hexdigest() for key, content in documents(archive).items()}
        assert [each.detail["files"] for each in told(archive)] == [{key: files[key]} for key in sorted(files)]
        assert {each.run_id for each in told(archive)} == {"retention__1"}

    def test_adopting_has_no_effect_and_is_refused(self, archive: Archive, tmp_path: Path) -> None:
        """The error names the place where the policy comes from."""
        with pytest.raises(ConfigurationError, match=re.escape(str(tmp_path))):
            adopt(elsewhere(archive, tmp_path), LONG, "p.yaml", actor="rosa")
        assert documents(archive) == {}


class TestAdopt:
    """`adopt`: durable, told and sealed when it returns."""

    def test_it_lies_in_the_archive_with_its_event(self, archive: Archive) -> None:
        """The event has the hash, the person and nothing else, and is sealed."""
        policy = adopt(archive, RULES, "p.yaml", actor="rosa")
        path = archive.settings.root / "policies" / "000001.yaml"
        assert path.read_bytes() == RULES
        assert path.stat().st_mode & 0o777 == 0o440
        (event,) = told(archive)
        assert event.detail == {"files": {"policies/000001.yaml": policy.version}}
        assert event.actor == "rosa"
        head = chain.newest(archive.store)
        assert head is not None
        assert event.segment == head.segment

    def test_the_one_in_force_is_not_adopted_again(self, archive: Archive) -> None:
        """Nothing is written, whatever the file is called."""
        first = adopt(archive, LONG, "p.yaml", actor="rosa")
        assert adopt(archive, LONG, "q.json", actor="paul") == first
        assert list(documents(archive)) == ["policies/000001.yaml"]
        assert len(told(archive)) == 1

    def test_a_wrong_one_leaves_everything_as_it_is(self, archive: Archive) -> None:
        """It is refused before anything is written."""
        adopt(archive, LONG, "p.yaml", actor="rosa")
        with pytest.raises(ConfigurationError, match="line 1: defaultDays is missing"):
            adopt(archive, b"name: x", "p.yaml", actor="rosa")
        assert in_force(archive).name == "long"
        assert len(told(archive)) == 1

    def test_an_adoption_that_was_cut_short_is_completed(self, archive: Archive) -> None:
        """A document whose event is missing is not in force; who adopts the same gives it its event."""
        archive.store.put("policies/000001.yaml", LONG)
        with pytest.raises(StoreError, match="foreign"):
            in_force(archive)
        for _ in range(2):
            policy = adopt(archive, LONG, "p.yaml", actor="rosa")
            assert policy == in_force(archive)
        assert [each.detail["files"] for each in told(archive)] == [{"policies/000001.yaml": policy.version}]

    def test_of_two_at_once_each_gets_a_number(self, archive: Archive) -> None:
        """Neither is lost, and the higher number is in force."""
        contents = [b"name: n%d\ndefaultDays: %d\n" % (number, number + 1) for number in range(6)]
        barrier = threading.Barrier(len(contents))

        def adopt_one(content: bytes) -> None:
            barrier.wait()
            adopt(archive, content, "p.yaml", actor="rosa")

        threads = [threading.Thread(target=adopt_one, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = documents(archive)
        assert list(found) == [f"policies/{number:06d}.yaml" for number in range(1, 7)]
        assert sorted(found.values()) == sorted(contents)
        assert in_force(archive).document == found["policies/000006.yaml"]
        assert len(told(archive)) == 6

    def test_the_last_number(self, archive: Archive) -> None:
        """Numbers do not begin again, nor grow by a digit that would sort before the others."""
        archive.store.put("policies/999999.yaml", LONG)
        with pytest.raises(StoreError, match="the last number"):
            adopt(archive, SHORT, "p.yaml", actor="rosa")
        assert newest(archive.store) == "policies/999999.yaml"


def test_what_is_public_is_there() -> None:
    """Every public name exists."""
    assert all(hasattr(policy_in_force, name) for name in policy_in_force.__all__)

"""The access document in force: adopted, kept in the archive, and closed when it is not as it was adopted."""

from __future__ import annotations

import pytest

from recording_archive.access.in_force import ADOPTED, FOLDER, Watch, adopt, adoptions, in_force, in_order
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.events import record
from recording_archive.errors import ConfigurationError, StoreError
from recording_archive.ledger import chain
from recording_archive.recovery.from_policies import reindex_access
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.take_up import take_up
from recording_archive.retention import policy_in_force
from support.contents import events_of

ALL = b"name: all\ngrants:\n- {name: a, everyone: true, what: [download]}\n"
FEW = b"name: few\ngrants:\n- {name: f, users: [jane], what: [metadata], queues: [Sales]}\n"


def test_adopting_makes_a_version_an_event_and_a_line_of_the_ledger(archive: Archive) -> None:
    """Nothing at first; then the highest number; the same again is no new version; and policies do not mind."""
    assert in_force(archive) is None
    assert in_order(archive) == "no access document"
    first = adopt(archive, ALL, "a.yaml", actor="rosa")
    assert adopt(archive, ALL, "a.yaml", actor="rosa") == first == in_force(archive)
    assert adopt(archive, FEW, "f.yaml", actor="rosa").origin == "access/000002.yaml"
    assert in_order(archive) == "access document few is in force"
    told = events_of(archive, ADOPTED)
    assert [(each.actor, list(each.detail["files"])) for each in told] == [
        ("rosa", ["access/000001.yaml"]),
        ("rosa", ["access/000002.yaml"]),
    ]
    assert chain.newest(archive.store) is not None, "the adoption is sealed"
    assert policy_in_force.in_force(archive).name == "default"


def test_a_server_sees_another_document_at_the_next_request(archive: Archive) -> None:
    """Also one that another process adopted, whose event was late."""
    watch = Watch()
    assert watch.in_force(archive) is None
    other = open_archive(archive.settings)
    adopt(other, FEW, "f.yaml", actor="rosa")
    other.catalog.close()
    with archive.catalog.write() as connection:
        record(connection, "played", None, at=archive.clock())
    found = watch.in_force(archive)
    assert found is not None
    assert found.name == "few"
    assert watch.in_force(archive) is found


@pytest.mark.parametrize("harm", ["changed", "gone", "foreign"])
def test_whatever_is_wrong_with_it_closes_the_archive(archive: Archive, harm: str) -> None:
    """Who can write into the folder opens nothing; the command, by a person, mends it."""
    adopt(archive, FEW, "f.yaml", actor="rosa")
    path = archive.settings.root / "access" / "000001.yaml"
    path.chmod(0o640)
    if harm == "changed":
        path.write_bytes(ALL)
    elif harm == "gone":
        path.parent.chmod(0o750)
        path.unlink()
    else:
        archive.store.put(f"{FOLDER}000002.yaml", ALL)
    for ask in (in_force, in_order, Watch().in_force):
        with pytest.raises(StoreError, match="nobody sees a recording"):
            ask(archive)
    assert [each.result for each in reindex_access(archive.store, archive.catalog)].count("bad") == 1
    if harm == "foreign":
        assert take_up(archive, f"{FOLDER}000002.yaml", reason="mine", actor="rosa").new
    else:
        adopt(archive, FEW, "f.yaml", actor="rosa")
    found = in_force(archive)
    assert found is not None
    assert found.name == ("all" if harm == "foreign" else "few")


def test_a_rebuilt_catalog_restricts_as_the_lost_one_did(archive: Archive) -> None:
    """The ledger records the adoption; until it was read nobody sees anything."""
    adopt(archive, FEW, "f.yaml", actor="rosa")
    archive.catalog.close()
    (archive.settings.root.parent / "catalog.db").unlink()
    with pytest.raises(StoreError):
        open_archive(archive.settings)
    list(reindex(archive.settings))
    rebuilt = open_archive(archive.settings)
    found = in_force(rebuilt)
    assert adoptions(rebuilt.catalog) == {"access/000001.yaml": found and found.version}
    rebuilt.catalog.close()


def test_what_is_wrong_is_not_adopted(archive: Archive) -> None:
    """Nothing of it is in the archive then."""
    with pytest.raises(ConfigurationError):
        adopt(archive, b"name: x\n", "x.yaml", actor="rosa")
    assert in_force(archive) is None
    assert list(archive.store.list(FOLDER)) == []

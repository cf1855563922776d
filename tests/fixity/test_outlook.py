"""What is to become of a damaged recording: a run may still repair it, or the last one could not."""

from __future__ import annotations

from typing import Any

from recording_archive.archive import Archive
from recording_archive.catalog.rows import part_of
from recording_archive.errors import ConfigurationError
from recording_archive.fixity.outlook import why_not_repaired
from recording_archive.fixity.refetch import Origin
from recording_archive.fixity.repair import repair
from support.contents import all_rows, damage, flip
from support.fixity_run import ALL, Verifying
from support.repairs import path_of


def no_connection() -> Any:
    raise ConfigurationError("Connection genesys_cloud_default is not defined")


def test_a_repair_is_possible_until_a_run_could_not(archived: Archive, verifying: Verifying) -> None:
    """Read and not yet tried, there is no reason against it; then the one of the run that tried; then none again."""
    row = all_rows(archived)[0]
    damage(path_of(archived, row), flip(1000))
    verifying.read_all(archived, "first", ALL)
    assert why_not_repaired(archived, part_of(row)) is None
    repair(archived, "first", Origin(no_connection), stop=verifying.stop)
    assert "genesys_cloud_default" in str(why_not_repaired(archived, part_of(row)))
    verifying.read_all(archived, "second", ALL)
    assert why_not_repaired(archived, part_of(row)) is None


def test_what_a_run_did_not_come_to_may_be_repaired_yet(archived: Archive, verifying: Verifying) -> None:
    """More damage than one run repairs is no reason against any of it."""
    for row in all_rows(archived)[:3]:
        damage(path_of(archived, row), flip(1000))
    verifying.read_all(archived, "r", ALL)
    repair(archived, "r", Origin(verifying.connect), stop=verifying.stop, most=1, page_size=1)
    assert [why_not_repaired(archived, part_of(row)) for row in all_rows(archived)] == [None] * 6

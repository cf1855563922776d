"""Fetching media again: a source that cannot be asked stops only the repairs that need it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.errors import ConfigurationError
from recording_archive.fixity import repair
from recording_archive.fixity.refetch import Origin
from support.contents import all_rows, damage, flip
from support.fixity_run import ALL, Verifying, found
from support.repairs import HEADER_TIME, path_of


def test_without_a_connection_only_the_source_is_missing(archived: Archive, verifying: Verifying) -> None:
    """A connection that is not defined stops no repair that needs none, and is told where it is needed."""
    lost, wrapping = all_rows(archived)[:2]
    damage(path_of(archived, lost), flip(1000))
    damage(path_of(archived, wrapping), flip(HEADER_TIME))
    verifying.read_all(archived, "r", ALL)

    def connect() -> Any:
        raise ConfigurationError("Connection genesys_cloud_default is not defined")

    repair.repair(archived, "r", Origin(connect), stop=verifying.stop)
    assert found(archived, "r")[wrapping.interaction_id] == "repaired"
    assert found(archived, "r")[lost.interaction_id] == "bad"


def test_a_source_that_refuses_the_client_is_asked_once(archived: Archive, verifying: Verifying) -> None:
    """Wrong credentials are not tried for each of a thousand recordings."""
    for row in all_rows(archived):
        damage(path_of(archived, row), flip(1000))
    verifying.cloud.faults.add(Fault("forbidden", "renew"))
    one_by_one = replace(archived, settings=archived.settings.model_copy(update={"transfers": 1}))
    ended = verifying(one_by_one, ALL)
    assert ended.totals["escalated"] == 6
    assert verifying.cloud.requests.counts["renew"] == 1

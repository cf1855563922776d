"""The probes of `recording-archive check`, in order: each tells what it found, or what is wrong and how to mend it.

Nothing is founded or made here: what the first run will make is said to be missing yet.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import column, make_url, select, table
from sqlalchemy.exc import ArgumentError

from recording_archive.access.in_force import in_order
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.day_totals import differing, sums_by_state
from recording_archive.catalog.migrations import VERSION_TABLE
from recording_archive.catalog.sqlite_files import require_whole
from recording_archive.cli.findings import ProbeResult, ProbeStatus
from recording_archive.cli.reach import reach_media_hosts, tell_network
from recording_archive.cli.rehearse import Rehearsal
from recording_archive.disposition.documents import documents_in_order
from recording_archive.errors import ArchiveError, StoreError
from recording_archive.ledger.signatures import tell_signing
from recording_archive.ledger.stamping import tell_stamps
from recording_archive.ledger.witness import describe_witness
from recording_archive.settings import Settings, read_settings
from recording_archive.sources import Source
from recording_archive.sources.connection import CONN_ID, Facts, facts_from_environment
from recording_archive.store.locate import staging_at, store_at
from recording_archive.store.trial import try_archive, try_catalog, try_staging

_GB = 10**9


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection, where it was found, and the source it leads to."""

    facts: Facts
    origin: str
    source: Source


Connect = Callable[[Settings], Connected]


def check(connect: Connect | None = None, *, rehearse: bool = False, save: Path | None = None) -> Iterator[ProbeResult]:
    """Run every probe; those that need one that did not pass are skipped. ``connect`` is `connect_by_airflow`.

    ``rehearse`` asks for a few recent recordings as well; ``save`` is the file that gets what they told.
    """
    trial, not_passed = _Trial(connect or connect_by_airflow), set[str]()
    for name, (run, needs) in trial.probes().items():
        lacking = [need for need in needs if need in not_passed]
        skipped = ProbeResult(name, ProbeStatus.SKIPPED, f"needs: {', '.join(lacking)}")
        finding = skipped if lacking else _try(name, run)
        if finding.verdict is not ProbeStatus.OK:
            not_passed.add(name)
        yield finding
    if rehearse:
        yield from trial.rehearsal(not_passed, save)


def connect_by_airflow(settings: Settings) -> Connected:
    """The connection as every task finds it. Importing Airflow takes seconds, so it is done only here."""
    # Without it a plain process does not see connections that were defined in Airflow's pages.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    with redirect_stdout(sys.stderr):  # where Airflow before 3.2 must log to: standard output is the command's
        from recording_archive.hooks import GenesysCloudHook  # noqa: PLC0415 - see above

        hook = GenesysCloudHook()
        facts, source = hook.facts(), hook.source(settings)
    variable = f"AIRFLOW_CONN_{CONN_ID.upper()}"
    if variable in os.environ:
        origin = f"environment variable {variable}"
    elif facts == facts_from_environment():
        origin = "GENESYS_* environment variables"
    else:
        origin = f"Airflow connection {CONN_ID}"
    return Connected(facts, origin, source)


def _try(name: str, run: Callable[[], str]) -> ProbeResult:
    try:
        return ProbeResult(name, ProbeStatus.OK, run())
    except ArchiveError as error:
        return ProbeResult(name, ProbeStatus.FAILED, str(error))
    except ImportError as error:  # a database driver, or a provider of Airflow
        return ProbeResult(name, ProbeStatus.FAILED, f"{error}: install the package it comes with")


class _Trial:
    """The results of earlier probes, for later ones; a probe runs only when those it needs have set it."""

    settings: Settings
    connected: Connected
    catalog: Catalog | None

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    def probes(self) -> dict[str, tuple[Callable[[], str], tuple[str, ...]]]:
        """Each probe by name with the names of those it needs."""
        return {
            "settings": (self._settings, ()),
            "storage": (self._storage, ("settings",)),
            "staging": (self._staging, ("settings",)),
            "catalog": (self._catalog, ("settings",)),
            "totals": (self._totals, ("catalog",)),
            "archive id": (self._archive_id, ("storage", "catalog")),
            "object lock": (self._locks, ("storage",)),
            "documents": (self._documents, ("archive id",)),
            "signing": (self._signing, ("archive id",)),
            "stamps": (self._stamps, ("archive id",)),
            "witness": (self._witness, ("archive id",)),
            "alerts": (self._alerts, ("settings",)),
            "connection": (self._connection, ("settings",)),
            "network": (self._network, ("connection",)),
            "token": (self._token, ("network",)),
            "media hosts": (self._media_hosts, ("network",)),
        }

    def rehearsal(self, not_passed: set[str], save: Path | None) -> Iterator[ProbeResult]:
        """Try recent recordings, where there is a token to ask for them."""
        if lacking := [need for need in ("connection", "network", "token") if need in not_passed]:
            yield ProbeResult("rehearsal", ProbeStatus.SKIPPED, f"needs: {lacking[0]}")
            return
        rehearsal = Rehearsal(self.connected.facts, self.settings, self.connected.source)
        yield from rehearsal.findings()
        if save:
            rehearsal.save(save)

    def _settings(self) -> str:
        self.settings = read_settings()
        return f"a run's day is one of {self.settings.timezone}"

    def _storage(self) -> str:
        if self.settings.bucket:
            return store_at(self.settings).probe()
        root = self.settings.root
        if not root.exists():
            place, said = _existing(root), f"{root} is made by the first run"
            _try_writing(place, "RECORDING_ARCHIVE_URL")
        else:
            place, said = root, store_at(self.settings).probe()
        return "; ".join([said, *try_archive(place)])

    def _staging(self) -> str:
        place, reserve = _existing(self.settings.staging), self.settings.free_space_reserve_bytes
        _try_writing(place, "RECORDING_ARCHIVE_STAGING_URL")
        warnings = try_staging(place)
        free = shutil.disk_usage(place).free
        if free < reserve:
            raise StoreError(
                f"{place} has {free / _GB:.1f} GB free, and {reserve / _GB:.1f} GB are left untouched: free space "
                "there, or lower RECORDING_ARCHIVE_FREE_SPACE_RESERVE_BYTES"
            )
        if self.settings.staging_bucket:
            grown = f"files grow in {self.settings.staging}, {free / _GB:.1f} GB free"
            return "; ".join([staging_at(self.settings).probe(), grown, *warnings])
        made = "is writable" if place == self.settings.staging else "is made by the first run"
        return "; ".join([f"{self.settings.staging} {made}, {free / _GB:.1f} GB free", *warnings])

    def _catalog(self) -> str:
        self.catalog = None
        url = self.settings.catalog
        if (file := _sqlite_file(url)) and not file.exists():
            require_whole(file)
            place = _existing(file.parent)
            _try_writing(place, "RECORDING_ARCHIVE_CATALOG_URL")
            try_catalog(place)
            return f"{file} is made by the first run"
        self.catalog = Catalog(url)
        with self.catalog.read() as connection:
            schema = connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()
        return f"{make_url(url).render_as_string(hide_password=True)}, schema {schema}"

    def _totals(self) -> str:
        if self.catalog is None:
            return "nothing to count yet"
        with self.catalog.read() as connection:
            wrong = list(differing(connection))
            count = sum(sums.recordings for sums in sums_by_state(connection).values())
        if wrong:
            raise StoreError(
                f"{len(wrong)} totals of the catalog are not what a count of its rows gives, such as {wrong[0]}: run "
                "`recording-archive reindex`, which counts anew"
            )
        return f"{count:,} recordings, counted by day as a count of all rows gives"

    def _archive_id(self) -> str:
        store = store_at(self.settings)
        in_store, in_catalog = store.identity(), self.catalog and self.catalog.archive_id()
        if in_store and self.catalog is None:
            raise StoreError(
                f"{store} holds archive {in_store}, and there is no catalog: set RECORDING_ARCHIVE_CATALOG_URL to the "
                "one it has, or run `recording-archive reindex`"
            )
        if in_store or in_catalog:
            open_archive(self.settings).catalog.close()  # founds nothing where either is known
            return f"{in_store}, the same in root and catalog"
        if next(iter(store.list("")), None) is not None:
            raise StoreError(f"{store} holds files but no archive.json: choose an empty folder for a new archive")
        return "none yet: the first run of archive_recordings founds the archive"

    def _locks(self) -> str:
        return store_at(self.settings).try_locks()

    def _documents(self) -> str:
        return self._describe_with(lambda archive: f"{documents_in_order(archive)}; {in_order(archive)}")

    def _signing(self) -> str:
        return self._describe_with(tell_signing)

    def _stamps(self) -> str:
        return self._describe_with(tell_stamps)

    def _witness(self) -> str:
        return self._describe_with(describe_witness)

    def _alerts(self) -> str:
        from recording_archive.tasks.alerts import describe  # noqa: PLC0415 - imports Airflow

        return describe(self.settings)

    def _describe_with(self, tell: Callable[[Archive], str]) -> str:
        """Ask something of the archive, where there is one."""
        if store_at(self.settings).identity() is None:
            return "none yet"
        archive = open_archive(self.settings)
        try:
            return tell(archive)
        finally:
            archive.catalog.close()

    def _connection(self) -> str:
        self.connected = self._connect(self.settings)
        extra = self.connected.facts.extra
        return f"{self.connected.origin}: api {extra.api}, organization {extra.organization}"

    def _token(self) -> str:
        probe = self.connected.source.probe()
        scopes = "not named" if probe.scopes is None else " ".join(sorted(probe.scopes))
        listed = "recordings" if probe.listed else "no recordings"
        granted = f"granted, scopes {scopes}; {probe.api_base} lists {listed} of the last day"
        return "; ".join([granted, *(f"warning: {note}" for note in probe.notes)])

    def _network(self) -> str:
        return tell_network(self.connected.facts, self.settings)

    def _media_hosts(self) -> str:
        return reach_media_hosts(self.connected.facts, self.settings)


def _existing(path: Path) -> Path:
    """The path itself, or its nearest ancestor that is there."""
    return next(place for place in (path, *path.parents) if place.exists())


def _try_writing(folder: Path, setting: str) -> None:
    """Write a file without a name into ``folder``; raise StoreError that names the remedy."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"check")
            file.flush()
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written ({error.strerror}): give the user that runs Airflow write permission, or "
            f"set {setting} to another place"
        ) from error


def _sqlite_file(url: str) -> Path | None:
    try:
        parsed = make_url(url)
    except ArgumentError:
        return None  # Catalog tells what is wrong with it
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(parsed.database) if is_file and parsed.database else None

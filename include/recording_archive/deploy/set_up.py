"""``python -m recording_archive.set_up``: make what docker-compose.yaml's containers need.

The catalog's database and user, Airflow's tables, the archive's bucket with versions, the staging bucket without, the
pools, and the roles of listeners and records managers with the first administrator. Its secrets may lie in files, which
``SET_UP_DATABASE_URL_FILE`` and ``SET_UP_ADMIN_PASSWORD_FILE`` name.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from contextlib import suppress

from sqlalchemy import create_engine, make_url, text

from recording_archive.catalog.engines import with_driver
from recording_archive.errors import ArchiveError, ConfigurationError
from recording_archive.settings import PREFIX, Settings, read_secret, read_settings

log = logging.getLogger("set_up")

DATABASE_URL = "SET_UP_DATABASE_URL"  # of a PostgreSQL user that may make databases
ADMIN_PASSWORD = "SET_UP_ADMIN_PASSWORD"  # noqa: S105 - the name of a variable
POOLS = (
    ("genesys_api", "8", "Tasks that ask the API of Genesys Cloud"),
    ("genesys_media", "32", "Tasks that fetch media"),
)
STAGED_DAYS = 7  # no run takes as long: what is older in the staging bucket was left by a killed task
LISTENERS, MANAGERS = "RecordingListeners", "RecordsManagers"


def main() -> int:
    """Make it all; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = read_settings()
        if url := read_secret(DATABASE_URL):
            make_catalog_database(url, settings)
        for bucket, versions in ((settings.bucket, True), (settings.staging_bucket, False)):
            if bucket:
                make_bucket(settings, bucket[0], versions=versions)
        set_airflow_up()
    except ArchiveError as error:
        log.error("set_up: %s", error)  # noqa: TRY400 - an expected error is one line
        return 2
    return 0


def make_catalog_database(admin_url: str, settings: Settings) -> None:
    """Make the catalog's user and database where they are missing."""
    wanted = make_url(settings.catalog)
    if wanted.get_backend_name() != "postgresql" or not wanted.database or not wanted.username:
        raise ConfigurationError(f"{PREFIX}CATALOG_URL must be a PostgreSQL URL with a user and a database")
    engine = create_engine(with_driver(make_url(admin_url)), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        quote = connection.dialect.identifier_preparer.quote
        user, database = quote(wanted.username), quote(wanted.database)
        has_user = text("SELECT 1 FROM pg_roles WHERE rolname = :name")
        if connection.execute(has_user, {"name": wanted.username}).first() is None:
            secret = str(wanted.password or "").replace("'", "''")
            connection.execute(text(f"CREATE USER {user} PASSWORD '{secret}'"))
            log.info("made the user %s", wanted.username)
        has_database = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.execute(has_database, {"name": wanted.database}).first() is None:
            # names are in any script, whatever the server's own encoding is
            connection.execute(text(f"CREATE DATABASE {database} OWNER {user} ENCODING 'UTF8' TEMPLATE template0"))
            log.info("made the database %s", wanted.database)
    engine.dispose()


def make_bucket(settings: Settings, name: str, *, versions: bool) -> None:
    """Make a bucket that is missing; the archive's keeps versions, so that no overwrite can hide."""
    from recording_archive.store.locate import s3_client  # noqa: PLC0415 - boto3 is for those who have a bucket

    client = s3_client(settings)
    if name not in {each["Name"] for each in client.list_buckets()["Buckets"]}:
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=name)
        log.info("made the bucket %s", name)
    if versions:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return
    rule = {"ID": "left-overs", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": STAGED_DAYS}}
    with suppress(client.exceptions.ClientError):  # a server without lifecycles: the report of each run drops its own
        client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})


def set_airflow_up() -> None:
    """Airflow's tables, the pools, and under FAB the roles and the first administrator."""
    _airflow("db", "migrate")
    for name, slots, what in POOLS:
        _airflow("pools", "set", name, slots, what)
    password = read_secret(ADMIN_PASSWORD)
    if not password or not os.environ.get("AIRFLOW__CORE__AUTH_MANAGER", "").endswith(".FabAuthManager"):
        return
    _airflow("fab-db", "migrate")
    person = ["--firstname", "First", "--lastname", "Administrator", "--email", "admin@localhost"]
    _airflow("users", "create", "--username", "admin", "--role", "Admin", *person, "--password", password)
    for role, decides in ((LISTENERS, False), (MANAGERS, True)):
        _run("recording_archive.web.grant", role, *(["--decide"] if decides else []))


def _airflow(*arguments: str) -> None:
    _run("airflow", *arguments)


def _run(module: str, *arguments: str) -> None:
    """Run a module's command; raise ConfigurationError with the end of what it said."""
    log.info("%s %s", module, " ".join(arguments[:3]))
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own interpreter
    if done.returncode:
        raise ConfigurationError(f"{module} {' '.join(arguments[:2])} failed:\n{done.stderr[-2000:]}")

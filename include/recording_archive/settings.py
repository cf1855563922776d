"""Settings from ``RECORDING_ARCHIVE_*`` environment variables, read once and checked; `.env.example` lists them all."""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from recording_archive.errors import ConfigurationError
from recording_archive.spelling.places import place, plain_text

PREFIX = "RECORDING_ARCHIVE_"
_SHARE = re.compile(r"\d{1,3}(\.\d{1,6})? ?%", re.ASCII)
_SECRET_BYTES = 64 * 2**10
_ERASED_ALONE = 1000  # where no limit is set
_MANY_PARTS, _LARGE_BATCH = 5000, 1000
_HOME = Path("~/recording-archive").expanduser()


class _SecretFiles(PydanticBaseSettingsSource):
    """Settings by file: ``NAME_FILE`` names the file that holds the setting NAME, for each that is a secret."""

    def __call__(self) -> dict[str, Any]:
        found = ((name, self.get_field_value(field, name)[0]) for name, field in Settings.model_fields.items())
        return {name: secret for name, secret in found if secret is not None}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None if field.repr else _secret_of_file(f"{PREFIX}{field_name.upper()}"), field_name, False


class Settings(BaseSettings):
    """Every setting has a default that works on one machine. Those that no repr shows are secrets."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    url: str = Field(
        "~/recording-archive/archive", description="Root of the archive: a folder, file:///… or s3://bucket/prefix."
    )
    staging_url: str = Field(
        "",
        description="Where downloads wait: a folder all workers have, or s3://…; default: beside the root.",
    )
    catalog_url: str = Field(
        "", repr=False, description="SQLAlchemy URL; default: SQLite file `catalog.db` beside the root."
    )
    s3_conn_id: str = Field("", description="Airflow connection for s3://; default: AWS_* variables.")
    s3_kms_key: str = Field("", description="KMS key that encrypts every object of the archive in S3.")
    object_lock: str = Field(
        "off",
        description="Lock each recording in its bucket until its days are over: off, governance or compliance.",
    )
    timezone: str = Field("UTC", description="IANA zone in which a run's day begins and dates without zone are read.")
    phone_region: str = Field("", description="ISO country that telephone numbers without one belong to.")
    max_active_runs: int = Field(2, ge=1, description="Runs of archive_recordings at once.")
    batch_parts: int = Field(
        250, ge=1, le=5000, description="Most parts that one mapped task handles; 1,000 where 5,000 are to be done."
    )
    batch_bytes: int = Field(4 * 2**30, ge=2**20, description="Most expected media bytes of one batch.")
    transfers: int = Field(16, ge=1, le=128, description="Transfers at once in one download task.")
    compressors: int = Field(2, ge=1, le=64, description="Files compressed at once in one gzip task.")
    connect_timeout_s: float = Field(10, gt=0, description="Seconds to reach the media host.")
    read_timeout_s: float = Field(
        60, gt=0, description="Seconds without a byte, or for all headers, after which a transfer is aborted."
    )
    min_bytes_per_s: float = Field(
        1024, ge=0, description="A transfer that is slower for READ_TIMEOUT_S is aborted, and resumed some times."
    )
    media_attempts: int = Field(6, ge=1, le=20, description="Most tries per recording in one run.")
    retry_after_max_s: float = Field(300, gt=0, description="Longest Retry-After that is waited for, in seconds.")
    max_media_bytes: int = Field(20 * 2**30, ge=1, description="Larger media fails instead of filling the disk.")
    free_space_reserve_bytes: int = Field(256 * 2**20, ge=0, description="Free space that staging leaves untouched.")
    look_back_days: int = Field(2, ge=1, description="A scheduled run asks at least this many days for late arrivals.")
    reconcile_days: int = Field(
        7, ge=0, description="Days between two comparisons with the source's own inventory by scheduled runs; 0: none."
    )
    max_catch_up_days: int = Field(7, ge=1, description="A longer hole in coverage is left to a backfill.")
    retry_days: int = Field(14, ge=1, description="Days for which failed recordings are taken up again.")
    allowed_failure_ratio: float = Field(0, ge=0, le=1, description="Share of failures that leaves a run green.")
    task_timeout_hours: float = Field(
        12, gt=0, description="Hours after which Airflow ends a task that still runs, and tries it again."
    )
    task_retry_delay_s: float = Field(60, ge=0, description="Seconds until Airflow tries a failed task again.")
    retention_days: int = Field(
        90, ge=1, description="Days from the interaction's date, where no policy says otherwise."
    )
    quarantine_days: int = Field(14, ge=0, description="Days between quarantine and purge.")
    policy_url: str = Field("", description="A policy file or a folder of them; default: `policies/` in the archive.")
    max_delete_count: int | None = Field(
        None, ge=0, description="Above it a person must approve a plan, even one that was foretold; default: no limit."
    )
    max_delete_bytes: int | str = Field(
        "10 %", description="The same in stored bytes, or as a share of the archive's; 100 % is no limit."
    )
    approval_hours: float = Field(
        24, gt=0, description="Hours for which a plan waits for its approval; no answer is no."
    )
    approvers: str = Field(
        "", description="Names, by commas, of who may approve a plan; default: everyone whom Airflow lets answer."
    )
    erase_alone: bool = Field(False, description="Let one person alone erase at the command line.")
    drill: bool = Field(False, description="Allow enforce_retention to act as of a future date; never in production.")
    erasure_key: str = Field(
        "", repr=False, description="64 hex digits that hide who was erased; default: `erasure.key` beside the root."
    )
    signing_key_file: str = Field(
        "", description="File with the private key that signs the ledger, outside the archive: `keys create` makes it."
    )
    tsa_urls: str = Field(
        "", description="Time-stamp authorities (RFC 3161) that stamp the ledger's head after each run: URLs by commas."
    )
    witness_url: str = Field(
        "", description="A second place, write-once, that keeps the ledger's heads: a folder or s3://bucket/prefix."
    )
    verify_days: int = Field(30, ge=1, description="verify_archive re-reads the whole archive within so many days.")
    verify_bytes: int = Field(2**40, ge=1, description="Most stored bytes that one run of verify_archive re-reads.")
    evidence_days: int = Field(14, ge=1, description="Days for which packs that export_evidence made can be fetched.")
    evidence_part_bytes: int = Field(
        2**32, ge=1, description="Bytes of recordings in one part of a pack that export_evidence makes."
    )
    sweep_days: int = Field(2, ge=1, description="Left-overs of killed tasks older than this are removed.")
    proxy: str = Field(
        "", repr=False, description="http://[user:password@]host:port for API and media; default: HTTPS_PROXY."
    )
    no_proxy: str = Field(
        "", description="Hosts, by commas, that are reached without it; `*` for all; default: NO_PROXY."
    )
    ca_file: str = Field(
        "",
        description="PEM file or folder of the only CAs to trust; default: REQUESTS_CA_BUNDLE, SSL_CERT_FILE, system.",
    )
    alert_notifier: str = Field(
        "", description="Class of the Airflow notifier that tells people of failed and late runs and waiting plans."
    )
    alert_arguments: str = Field(
        '{"json": {"text": "{{ alert }}"}}', description="Its arguments, a JSON object; {{ alert }} is the sentence."
    )
    alert_late_hours: float = Field(0, ge=0, description="Hours after which a run that is not over is late; 0: never.")
    api_pool: str = Field("default_pool", min_length=1, description="Airflow pool of tasks that ask the API.")
    media_pool: str = Field("default_pool", min_length=1, description="Airflow pool of tasks that fetch media.")
    max_streams: int = Field(32, ge=1, description="Recordings sent at once by one process of the API server.")
    stream_wait_s: float = Field(30, ge=0, description="Seconds for which a request waits to be one of them.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no file but those is read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment, and the files that it names."""
        return init_settings, _SecretFiles(settings_cls), env_settings

    @field_validator("url", "staging_url", "witness_url")
    @classmethod
    def _place(cls, text: str) -> str:
        return place(text, buckets=True) if text else text

    @field_validator("policy_url", "signing_key_file")
    @classmethod
    def _path(cls, text: str) -> str:
        return place(text, buckets=False) if text else text

    @field_validator("tsa_urls")
    @classmethod
    def _web_addresses(cls, text: str) -> str:
        for number, url in enumerate(filter(None, map(str.strip, text.split(","))), 1):
            if not re.fullmatch(r"https?://[^/?#@\s]+([/?][^\s#]*)?", url):
                raise ValueError(f"address {number} is none such as https://tsa.example/tsr, without user and password")
        return text

    @field_validator("catalog_url")
    @classmethod
    def _plain(cls, url: str) -> str:
        try:
            plain_text(url)
        except ValueError:  # whose text is a secret
            raise ValueError("it holds a line break, quotes, or a blank at an end: remove them") from None
        file = url.removeprefix("sqlite:///") if url.startswith("sqlite:///") else ""
        if file and not file.startswith(("/", ":memory:", "file:")):
            raise ValueError(f"{url!r} is a relative path, another file for each program: write sqlite:////path")
        return url

    @field_validator("object_lock")
    @classmethod
    def _lockable(cls, mode: str, info: ValidationInfo) -> str:
        if mode not in {"off", "governance", "compliance"}:
            raise ValueError(f"{mode!r} is none of off, governance and compliance")
        if mode != "off" and not info.data.get("url", "s3://").startswith("s3://"):
            raise ValueError(f"{mode}, but a folder has no object lock: set {PREFIX}URL to a bucket that has, or off")
        return mode

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is not an IANA time zone such as Europe/Berlin") from error
        return name

    @field_validator("alert_arguments")
    @classmethod
    def _arguments(cls, text: str) -> str:
        try:
            is_object = isinstance(json.loads(text), dict)
        except ValueError:
            is_object = False
        if not is_object:
            raise ValueError('it is no JSON object such as {"text": "{{ alert }}"}')
        return text

    @field_validator("max_delete_bytes")
    @classmethod
    def _bytes_or_share(cls, given: int | str) -> int | str:
        text = str(given).strip()
        if text.isascii() and text.isdecimal():
            return int(text)
        if not _SHARE.fullmatch(text) or float(text.rstrip(" %")) > 100:
            raise ValueError(f"{given!r} is neither a whole number of bytes nor a share such as 10 %")
        return text

    @property
    def max_delete_share(self) -> float | None:
        """The percentage of the archive that MAX_DELETE_BYTES is; None where it is a number of bytes."""
        return float(self.max_delete_bytes.rstrip(" %")) if isinstance(self.max_delete_bytes, str) else None

    @property
    def most_erased_alone(self) -> int:
        """The recordings that one person may erase at once without another's approval."""
        return _ERASED_ALONE if self.max_delete_count is None else self.max_delete_count

    @field_validator("phone_region")
    @classmethod
    def _known_region(cls, name: str) -> str:
        from recording_archive.phone_numbers import is_region  # noqa: PLC0415 - a tenth of a second that few need

        if name and not is_region(name.upper()):
            raise ValueError(f"{name!r} is not an ISO 3166 country such as GB")
        return name.upper()

    def batch_parts_of(self, parts: int) -> int:
        """The most parts of one batch of so many: starting a task costs as much as a thousand short recordings.

        What somebody has set stays.
        """
        is_set = "batch_parts" in self.model_fields_set
        return self.batch_parts if is_set or parts < _MANY_PARTS else max(self.batch_parts, _LARGE_BATCH)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of a run's calendar day."""
        return ZoneInfo(self.timezone)

    @property
    def root(self) -> Path:
        """The archive root on a local disk."""
        return Path(self.url).expanduser()

    @property
    def witness_bucket(self) -> tuple[str, str] | None:
        """The bucket and prefix of the witness, when it lies in one."""
        return _bucket(self.witness_url)

    @property
    def signing_key(self) -> Path:
        """The file of the key that signs the ledger, where one is named."""
        return Path(self.signing_key_file).expanduser()

    @property
    def approving(self) -> frozenset[str]:
        """Return who may approve a plan, case-folded; empty when nobody was named, which means everyone."""
        return frozenset(name.strip().casefold() for name in self.approvers.split(",") if name.strip())

    @property
    def bucket(self) -> tuple[str, str] | None:
        """The archive's bucket and prefix, when it lies in one."""
        return _bucket(self.url)

    @property
    def beside(self) -> Path:
        """The folder beside a local archive, for what must not lie in it; with a bucket one of this user."""
        return _HOME if self.bucket else self.root.parent

    @property
    def staging(self) -> Path:
        """The staging folder on a local disk; with a bucket for staging, where files grow before they go there."""
        if self.staging_url and not self.staging_bucket:
            return Path(self.staging_url)
        return self.beside / "staging"

    @property
    def staging_bucket(self) -> tuple[str, str] | None:
        """The bucket and prefix for staging, when it has one."""
        return _bucket(self.staging_url)

    @property
    def catalog(self) -> str:
        """The catalog's SQLAlchemy URL."""
        return self.catalog_url or f"sqlite:///{self.beside / 'catalog.db'}"


@lru_cache(maxsize=1)
def read_settings() -> Settings:
    """Read and check the environment once per process; raise ConfigurationError that names each wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"Invalid settings: {problems}") from error


def _bucket(url: str) -> tuple[str, str] | None:
    if not url.startswith("s3://"):
        return None
    name, _, prefix = url.removeprefix("s3://").partition("/")
    if not name:
        raise ConfigurationError(f"{url!r} names no bucket: write s3://bucket or s3://bucket/prefix")
    return name, prefix


def read_secret(name: str) -> str | None:
    """The secret in the variable ``name``, or in the file that ``name`` with ``_FILE`` names; None without either.

    Raises ConfigurationError when both are set, and when the file cannot be read.
    """
    return _secret_of_file(name) or os.environ.get(name)


def _secret_of_file(name: str) -> str | None:
    file = os.environ.get(f"{name}_FILE", "")
    if file and os.environ.get(name):
        raise ConfigurationError(f"{name} and {name}_FILE are both set: unset one of them")
    return _secret_in(f"{name}_FILE", file) if file else None


def _secret_in(name: str, file: str) -> str:
    """Read the one line of a file that ``name`` names; no message shows what is in it."""
    try:
        path = Path(place(file, buckets=False))
        with path.open("rb") as opened:
            content = opened.read(_SECRET_BYTES + 1)
        secret = content.decode().rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = "it is no text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ConfigurationError(f"{name} cannot be read ({reason}): name a file that this user may read") from None
    if not secret or len(content) > _SECRET_BYTES:
        raise ConfigurationError(f"{name}: {path} is empty or too large: write the one line of the secret into it")
    return secret

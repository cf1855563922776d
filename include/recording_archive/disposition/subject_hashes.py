"""Keyed hashes of an erased person: only someone with both key and number can show whom an erasure was about.

HMAC-SHA256 over the kind and the value in the one spelling that stands for all others, such as ``number:+12025550100``,
and in the one that older versions had, ``number:12025550100``: whoever checks an erasure needs not know its version.
Telephone numbers are so few that a hash without a key would reveal them.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from recording_archive.errors import ConfigurationError, StoreError
from recording_archive.parties.documents import NAMES
from recording_archive.phone_numbers import number_form, old_form
from recording_archive.settings import Settings
from recording_archive.spelling.ids import clean_id

KEY_FILE = "erasure.key"
_KEY = re.compile(r"[0-9a-fA-F]{64}")
_KINDS = {"ani": "number", "dnis": "number", "contactId": "contact"}


def hashes(settings: Settings, row: Any) -> list[str]:
    """Hash the parties of a row of `recordings`; sorted, so that they do not reveal who called whom."""
    region = (row.numbers or {}).get("region", settings.phone_region)
    spelled = {(kind, form) for kind, value in _values(row) for form in forms(kind, value, region)}
    if not spelled:
        return []
    key = read_key(settings)
    return sorted(keyed_hash(key, kind, form) for kind, form in spelled)


def forms(kind: str, value: str, region: str) -> tuple[str, ...]:
    """Return the texts that are hashed of a ``number`` or ``contact``: its form, and the one of older versions."""
    if kind == "number":
        return number_form(value, region), old_form(value).casefold()
    return clean_id(value), value.strip()


def keyed_hash(key: bytes, kind: str, form: str) -> str:
    """Hash one form of a ``number`` or ``contact``."""
    return hmac.new(key, f"{kind}:{form}".encode(), "sha256").hexdigest()


def _values(row: Any) -> Iterator[tuple[str, str]]:
    """Yield the numbers and contacts of all parties, those possible ones too."""
    for party in ({name: getattr(row, column) for column, name in NAMES.items()}, *(row.parties or ())):
        yield from ((kind, party[name]) for name, kind in _KINDS.items() if party.get(name))


def read_key(settings: Settings) -> bytes:
    """Read the key from the settings, or from the file beside the root, made once; it is never inside the archive."""
    if settings.erasure_key:
        return _parsed(settings.erasure_key, "RECORDING_ARCHIVE_ERASURE_KEY")
    path = settings.beside / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        return _parsed(path.read_text().strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{path} cannot be read or made ({error}): let the user that runs this read and write it, or set "
            "RECORDING_ARCHIVE_ERASURE_KEY"
        ) from error


def _make(path: Path) -> None:
    """Write a new key, whole and durable before it has its name; the first of two attempts wins."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink()


def _parsed(text: str, where: str) -> bytes:
    if not _KEY.fullmatch(text):
        raise ConfigurationError(f"{where} is no key: 64 hex digits, such as `openssl rand -hex 32` prints")
    return bytes.fromhex(text)

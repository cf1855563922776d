"""Archives whose heads are signed, and the forger of histories."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from recording_archive.archive import Archive
from recording_archive.ledger.key_making import create_key
from recording_archive.ledger.signing_key import KnownKey

_FORGER = Path(__file__).parents[1] / "programs" / "forge_history.py"


def with_key_file(archive: Archive, path: Path | None = None) -> Archive:
    """The same archive with a setting for its signing key, which need not be there yet."""
    file = path or archive.settings.root.parent / "secrets" / "signing.pem"
    return replace(archive, settings=archive.settings.model_copy(update={"signing_key_file": str(file)}))


def signing(archive: Archive) -> tuple[Archive, KnownKey]:
    """The archive with its first signing key."""
    opened = with_key_file(archive)
    return opened, create_key(opened, actor="ann")


def forge(root: Path) -> None:
    """Rewrite the history below a root so that it agrees with itself."""
    subprocess.run([sys.executable, "-I", "-S", _FORGER, root], check=True)

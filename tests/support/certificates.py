"""A CA of one's own, and certificates that it signed: made when a test needs them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import which

import pytest

_EC = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


def make_certificates(folder: Path, *names: str) -> Path:
    """Put ``ca.pem`` and ``host.pem`` (certificate and key for these DNS names) into ``folder``; return it."""
    if which("openssl") is None:
        pytest.skip("needs the openssl program")
    (folder / "names").write_text(f"subjectAltName={','.join(f'DNS:{name}' for name in names)}\n")
    for command in (
        f"req -x509 {_EC} -keyout ca.key -out ca.pem -days 2 -subj /CN=Test-CA "
        "-addext keyUsage=critical,keyCertSign,cRLSign",  # which Python 3.13 insists on
        f"req {_EC} -keyout host.key -out host.csr -subj /CN=host",
        "x509 -req -in host.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out host.crt",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    (folder / "host.pem").write_text((folder / "host.crt").read_text() + (folder / "host.key").read_text())
    return folder

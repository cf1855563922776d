"""A Genesys Cloud stand-in: OAuth, the interactions query, real audio at signed URLs, and faults on demand.

It is a real HTTP server with two ports, API and media, from the standard library alone. In a test:

    with Sandbox(SandboxOptions(days=1, per_day=5, max_bytes=200_000)) as sandbox:
        sandbox.faults.add(Fault("cut", times=1))
        ...  # sandbox.api_base, sandbox.client_id, sandbox.client_secret
        assert sandbox.requests.counts["media"] == 10

As a process: ``python -m genesys_sandbox``. Reading order: `server` (the whole), `settings` (what can be asked of it),
`recordings` (its content), `cloud` and `access` (its state, tokens and signatures), `hosts` (HTTP: login, API and
media), `platform` (the public platform API), `faults` (what goes wrong), `reply` and `recorder` (one reply, and the
requests so far), `media` (synthetic audio). `demo` and `airflow` run the archive against a sandbox.
"""

from genesys_sandbox.access import SIGNATURE_PREFIX, TOKEN_PREFIX
from genesys_sandbox.faults.due import Faults
from genesys_sandbox.recorder import Recorder, Request
from genesys_sandbox.recordings.library import Library
from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.server import Sandbox, serve
from genesys_sandbox.settings.fault import KINDS, Fault
from genesys_sandbox.settings.options import SandboxOptions

__all__ = [
    "KINDS",
    "SIGNATURE_PREFIX",
    "TOKEN_PREFIX",
    "Fault",
    "Faults",
    "Library",
    "Recorder",
    "Recording",
    "Request",
    "Sandbox",
    "SandboxOptions",
    "serve",
]

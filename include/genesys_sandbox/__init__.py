"""A Genesys Cloud stand-in: OAuth, the interactions query, real audio at signed URLs, and faults on demand.

It is a real HTTP server with two ports, API and media, from the standard library alone. In a test:

    with Sandbox(SandboxOptions(days=1, per_day=5, max_bytes=200_000)) as sandbox:
        sandbox.faults.add(Fault("cut", times=1))
        ...  # sandbox.api_base, sandbox.client_id, sandbox.client_secret
        assert sandbox.requests.counts["media"] == 10

As a process: ``python -m genesys_sandbox``. Reading order: `server` (the whole), `api` and `downloads` (what each port
answers), `queries` and `filters` (the interactions query), `platform` (the public platform API), `library` and `media`
(the recordings), `faults` (which are due), `disturb`, `media_faults` and `query_faults` (what they do), `wire` and
`reply` (HTTP), `access`, `recorder`, `control`.
"""

from genesys_sandbox.access import SIGNATURE_PREFIX, TOKEN_PREFIX
from genesys_sandbox.faults import KINDS, Fault, Faults
from genesys_sandbox.library import Library, Recording
from genesys_sandbox.options import SandboxOptions
from genesys_sandbox.recorder import Recorder, Request
from genesys_sandbox.server import Sandbox, serve

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

"""Prints the public names of `recording_archive.hooks`, and the signature of each name and of the hook's methods."""

import inspect
import json
import re

from recording_archive import hooks


def signature(name: str) -> str:
    """Show the signature of a function or a method, without the address of a default."""
    found = hooks
    for part in name.split("."):
        found = getattr(found, part)
    return re.sub(r" at 0x\w+", "", str(inspect.signature(found)))


methods = [f"GenesysCloudHook.{name}" for name in ("facts", "get_conn", "source", "media", "test_connection")]
names = [*hooks.__all__, *methods]
print(json.dumps({"names": hooks.__all__, "signatures": {name: signature(name) for name in names}}))

"""``python -m genesys_sandbox``: every option of `SandboxOptions` as a flag."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from genesys_sandbox.server import serve
from genesys_sandbox.settings.options import SandboxOptions

_READ: Mapping[str, Callable[[str], object]] = {"end": date.fromisoformat, "media_dir": Path, "state_dir": Path}


def main(arguments: list[str] | None = None) -> None:
    """Read the flags and serve until a signal; exit with status 2 and a message when they make no sense."""
    parser = argparse.ArgumentParser("genesys_sandbox", description="A Genesys Cloud stand-in for tests and demos.")
    for name, default, meaning in SandboxOptions.described():
        shown = "" if default is None else f" (default: {default!r})"
        read = _READ.get(name, type(default))
        parser.add_argument(f"--{name.replace('_', '-')}", type=read, default=default, help=f"{meaning}{shown}")
    try:
        serve(SandboxOptions(**vars(parser.parse_args(arguments))))
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

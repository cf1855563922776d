"""Build the documents as a site: `make docs` writes build/site, and fails at a link that leads nowhere.

The documents link to one another, and to files of the repository, by relative paths. So the site is built of a copy
that has the same layout: every document, and each file that one of them links to.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "build" / "site-source"
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)")
DOCUMENTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md")


def lay_out() -> None:
    """Copy the documents and the files that they link to."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    pages = [*(ROOT / name for name in DOCUMENTS), *ROOT.glob("docs/**/*.md")]
    linked = {(page.parent / target).resolve() for page in pages for target in LINK.findall(page.read_text())}
    for path in {*pages, *linked}:
        if path.is_file() and path.is_relative_to(ROOT):
            copy = SOURCE / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)


def main() -> int:
    """Lay the documents out and build; return the exit status."""
    lay_out()
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(ROOT / "mkdocs.yml")]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, env=quiet, check=False, capture_output=True, text=True)  # noqa: S603 - our own
    if done.returncode:
        print(done.stderr, file=sys.stderr)  # noqa: T201 - which link leads nowhere
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

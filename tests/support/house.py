"""The structure of the repository as its files show it: modules, docstrings, tests, and the table of rooms.

``python -m support.house`` writes the table of rooms in docs/architecture.md anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "include" / "recording_archive"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
_TABLE = re.compile(r"(?<=<!-- rooms -->\n).*?(?=<!-- /rooms -->)", re.DOTALL)


def modules(package: Path = PACKAGE) -> list[Path]:
    """List the modules below a package, without its ``__init__`` files and migrations."""
    every = sorted(package.rglob("*.py"))
    return [path for path in every if path.stem != "__init__" and "migrations" not in path.parts]


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each docstring of a module with its line: of the module, classes, functions and constants."""
    for node in ast.walk(ast.parse(path.read_text())):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for before, statement in zip([node, *body], body, strict=False):
            documented = before is node or isinstance(before, ast.Assign | ast.AnnAssign)
            if documented and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                yield statement.lineno, str(statement.value.value)


def rooms_table() -> str:
    """Compose the table of rooms from the first sentence of each package's docstring."""
    rows = ["| room | what it is |", "|---|---|"]
    for init in sorted(PACKAGE.glob("*/__init__.py")):
        first = (ast.get_docstring(ast.parse(init.read_text())) or "").split("\n\n")[0].replace("\n", " ")
        rows.append(f"| `{init.parent.name}/` | {first} |")
    return "\n".join(rows) + "\n"


def with_table(document: str) -> str:
    """Put the table of rooms into the text of docs/architecture.md."""
    return _TABLE.sub(lambda _: rooms_table(), document)


if __name__ == "__main__":
    ARCHITECTURE.write_text(with_table(ARCHITECTURE.read_text()))

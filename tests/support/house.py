"""The structure of the repository as its files show it: modules, docstrings, tests, and the table of rooms.

``python -m support.house`` writes anew what is made of them: the table of rooms in docs/architecture.md,
docs/settings.md, and the list of decisions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from recording_archive.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "include" / "recording_archive"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
DECISIONS = ROOT / "docs" / "decisions"
SETTINGS_HEAD = """# Settings

Environment variables, read once per process; all of Airflow's components must see the same.
[.env.example](../.env.example) has them as a file. Every default works on one machine.
How to reach Genesys Cloud is a connection in Airflow:
[step by step](genesys-cloud.md).

"""
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


def settings_page() -> str:
    """Compose docs/settings.md: every setting with its default and what it is."""
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in {None, ""} else f"`{field.default}`"
        by_file = "" if field.repr else f" A secret: `{PREFIX}{name.upper()}_FILE` may name a file instead."
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description}{by_file} |")
    return SETTINGS_HEAD + "\n".join(rows).replace("*", "\\*") + "\n"


def decisions_page() -> str:
    """Compose docs/decisions/README.md: the title of every decision."""
    every = sorted(DECISIONS.glob("0*.md"))
    titles = [re.sub(r"^\d+[.:]\s*", "", path.read_text().splitlines()[0].lstrip("# ")) for path in every]
    lines = [f"* [{path.stem[:4]}]({path.name}) {title}" for path, title in zip(every, titles, strict=True)]
    return (
        "# Decisions\n\nWhy the archive is as it is. A decision that no longer holds says which one took its place.\n\n"
        + "\n".join(lines)
        + "\n"
    )


GENERATED = {
    ARCHITECTURE: lambda: with_table(ARCHITECTURE.read_text()),
    ROOT / "docs" / "settings.md": settings_page,
    DECISIONS / "README.md": decisions_page,
}

if __name__ == "__main__":
    for document, made in GENERATED.items():
        document.write_text(made())

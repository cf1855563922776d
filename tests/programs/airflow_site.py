"""Airflow's own web application with the plugin in it, as a process of its own: ``python airflow_site.py PORT ROUTES``.

Which auth manager, which users and which archive it has, says its environment. It is what `airflow api-server` runs,
after a database of its own was made; the list of all routes goes to the file ROUTES, when it is about to answer.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from airflow.api_fastapi.app import create_app
from airflow.utils.db import initdb
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from recording_archive.web import access, grant
from recording_archive.web.app import create_app as create_archive_app


def main(port: int, listing: Path) -> None:
    """Make the database and its users, list the routes, and serve."""
    initdb()
    if roles := json.loads(os.environ.get("SITE_FAB_USERS", "{}")):
        access.grant("Listener", grant.LISTEN)
        access.grant("Keeper", grant.LISTEN + grant.DECIDE)
        _make_fab_users(roles)
    app = create_app()
    listing.write_text(json.dumps(list(_routes(create_archive_app().routes))))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def _make_fab_users(roles: dict[str, str]) -> None:
    """One user for each entry, of the role that it names and with the user's name as password."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder  # noqa: PLC0415

    with get_application_builder() as builder:
        for name, role in roles.items():
            found = builder.sm.find_role(role) or builder.sm.add_role(role)
            builder.sm.add_user(name, name, name, f"{name}@example.com", found, password=name)


def _routes(routes: list[Any]) -> Iterator[dict[str, Any]]:
    """Path and methods of every route; a mount is named by what lies below it."""
    for route in routes:
        if isinstance(route, Mount):
            yield {"path": f"{route.path}/", "methods": [], "guarded": False}
        elif isinstance(route, Route | APIRoute):
            yield {"path": route.path, "methods": sorted(route.methods or ()), "guarded": isinstance(route, APIRoute)}
        else:
            yield {"path": str(route), "methods": [], "guarded": False}


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

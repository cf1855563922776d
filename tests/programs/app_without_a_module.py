"""Ask the web app in an Airflow that lacks a module, and print status and title of each answer: MODULE."""

import sys

sys.modules[sys.argv[1]] = None  # an import of it fails

from fastapi.testclient import TestClient  # noqa: E402 - after the module is gone

from recording_archive.web.app import create_app  # noqa: E402

app = create_app()
client = TestClient(app, raise_server_exceptions=False)
for path in ("", "retrieve?interactionId=a", "api/recordings", "api/recordings/a/b/media", "overview"):
    reply = client.get(path, headers={"Authorization": "Bearer x"})
    print(reply.status_code, reply.json()["title"])

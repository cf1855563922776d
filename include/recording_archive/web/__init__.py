"""The archive inside the Airflow UI, and its REST API: one FastAPI app, mounted at ``/archive`` by the plugin.

Reading order: `app` (what it is made of; `deferred` builds it at the first request), `access` (who may do what; the
only module here that knows Airflow), `deps` (the archive, and the access log). Then the routes: `retrieve` (the stored
file), `api` and `api_books` (JSON), `pages` and `run_pages` (HTML, by `render`). Both show what `search` (with
`filters` and `terms`), `details`, `history`, `failures`, `figures` and `days` find, as the documents of `rows`. Below
them `media` and `peaks` (audio), `streams` and `ranges` (bytes over HTTP), `problems` (errors), and around everything
`headers` and `unlogged`.
"""

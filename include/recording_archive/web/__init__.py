"""The archive inside the Airflow UI, and its REST API: one FastAPI app, mounted at ``/archive`` by the plugin.

Reading order: `app` (what it is made of; `deferred` builds it at the first request), `access` (who may do what; the
only module here that knows Airflow), `deps` (the archive, and the access log). Then the routes: `retrieve` (the stored
file), `api`, `api_books`, `api_holds`, `api_retention` and `api_disposition` (JSON), `pages`, `run_pages`,
`hold_pages`, `retention_pages` and `fixity_pages` (HTML, by `render`). Both show what `search` (with `filters` and
`terms`), `details`, `standing`, `history`, `plan_history`, `fixity_history`, `hold_preview`, `failures`, `figures` and
`days` find, as the documents of `rows`, `hold_rows` and `figure_rows`. Below them `media` and `peaks` (audio),
`reports`, `streams` and `ranges` (bytes over HTTP), `problems` (errors); around everything `headers` and `unlogged`.
"""

"""The archive inside the Airflow UI, and its REST API: one FastAPI app, mounted at ``/archive`` by the plugin.

    app, deferred               the app, and how the plugin registers it: built at the first request
    access, grant               who may do what; the one module here that knows Airflow, and a command that grants it
    viewer                      which recordings the signed-in person may see, hear, fetch and decide about
    deps                        what routes need: the archive, and the access log
    api/                        JSON
    pages/                      HTML, by `render` with the words of `wording` and the links of `address`
    read/                       what both of them show
    media/                      bytes: retrieve, audio, waveform
    problem, openapi            errors (RFC 9457), and the description of the API
    headers, unlogged           around everything: security headers, and search text kept out of the access log

Bytes reach a client only after the event that says who asked for them.
"""

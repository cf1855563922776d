"""The two hosts of the sandbox over HTTP.

`wire` receives requests and sends replies. `api` is the login and API host, with `queries` (the interactions query) and
`control` (faults and counters for tests); `media` serves files at signed URLs.
"""

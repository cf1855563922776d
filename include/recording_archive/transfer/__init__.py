"""One media file over HTTP: resumed, hashed while it is written, and only from hosts that are allowed.

`transfer` fetches one file into a `partial_file`, `receiving` it piece by piece; `replies` judges status and headers,
`formats` the content with the help of `tracks` and `documents`, `retries` the failures. `client` has what the transfers
of a task share: `limits`, and connections to checked addresses (`pinned`) of `allowed_hosts`, whose replies keep to
`bounds`.
"""

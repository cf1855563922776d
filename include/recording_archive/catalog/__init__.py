"""The SQL index of the archive: tables, migrations, transactions, and the queries that several rooms share.

`database` opens a catalog and runs its transactions, on `engines` and with the `schema` that `tables` describes.
`sqlite_files` are those of a catalog on this machine.
`events` records changes; `rows` holds queries that all tables with a part in them share. `search` (with `search_terms`,
`search_names` and `distinct`) finds recordings; `timeline` lists what happened to one.
"""

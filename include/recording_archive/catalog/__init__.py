"""The SQL index of the archive: tables, migrations, transactions, and the queries that several rooms share.

`database` opens a catalog and runs its transactions, `tables` describes it, `rows` holds what all tables with a part in
them share. `search` (with `search_terms`, `search_names` and `distinct`) finds recordings; `timeline` lists what
happened to one.
"""

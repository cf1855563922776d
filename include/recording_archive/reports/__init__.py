"""Reports as files of the archive: `writing` streams them to write-once keys, `reading` reads them back.

The figures of a report are decided where it is made: `archiving`, `disposition`, `fixity`.
"""

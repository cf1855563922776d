"""Reports as files of the archive: `writing` streams them to write-once keys, `reading` reads them back.

Which figures a report has is decided where it is made: `archiving.report`, `disposition.report`, `fixity.report`.
"""

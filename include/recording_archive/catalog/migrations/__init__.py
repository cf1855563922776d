"""The steps by which a catalog of an earlier version becomes one of this version."""

HEAD = "0012"
VERSION_TABLE = "recording_archive_version"

"""The steps by which a catalog of an earlier version becomes one of this version."""

HEAD = "0011"
VERSION_TABLE = "recording_archive_version"

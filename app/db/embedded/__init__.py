"""The built-in PostgreSQL: binaries from a package, cluster, lock and life in our own hands."""

from app.db.embedded.errors import (
    AccountMissing,
    BinariesMissing,
    DataDirectoryDamaged,
    DataDirectoryForbidden,
    DataDirectoryInUse,
    DiskFull,
    EmbeddedPostgresError,
    NewerDataDirectory,
    PathTooLong,
    StartFailed,
    WrongMajorVersion,
)
from app.db.embedded.server import EmbeddedPostgres

__all__ = [
    "AccountMissing",
    "BinariesMissing",
    "DataDirectoryDamaged",
    "DataDirectoryForbidden",
    "DataDirectoryInUse",
    "DiskFull",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "NewerDataDirectory",
    "PathTooLong",
    "StartFailed",
    "WrongMajorVersion",
]

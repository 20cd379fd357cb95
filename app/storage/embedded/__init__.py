"""The built-in PostgreSQL: binaries from a package, cluster, lock and life in our own hands."""

from app.storage.embedded.errors import (
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
from app.storage.embedded.reaching import reached
from app.storage.embedded.server import EmbeddedPostgres

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
    "reached",
]

"""Run the built-in PostgreSQL: its binaries, its cluster, its lock and its process."""

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

"""Check a backup (`stepahead check-backup`): read it to the end and verify everything in it."""

import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO

from app.backup.archive import ArchiveReader, Contents, DamagedArchive, Header, Member, digest_of
from app.backup.tables import unpacked


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The contents of an archive that was found to be complete."""

    stepahead: str
    revision: str
    created_at: datetime
    rows: dict[str, int]  # by table
    objects: int
    object_bytes: int
    missing: dict[str, str]  # objects that could not be backed up, and why


@dataclass
class Tally:
    """What was found in an archive, for comparison with its list of contents."""

    tables: dict[str, str] = field(default_factory=dict)  # sha256 by name
    objects: dict[str, int] = field(default_factory=dict)  # size by sha256

    def count(self, member: Member, sha256: str) -> None:
        """Add a member that was read to its end.

        Raises:
            DamagedArchive: an object's sha256 differs from its name, or the member is repeated.
        """
        found = self.tables if member.is_table else self.objects
        if member.name in found:
            raise DamagedArchive(f"{member.name} is in the archive twice")
        if member.is_table:
            self.tables[member.name] = sha256
            return
        if sha256 != member.name:
            raise DamagedArchive(f"the object {member.name} is damaged: its sha256 is {sha256}")
        self.objects[sha256] = member.size

    def compare(self, header: Header, contents: Contents) -> None:
        """Compare what was found with what the archive lists.

        Raises:
            DamagedArchive: something is missing, damaged or not listed.
        """
        listed = {name: entry.sha256 for name, entry in contents.tables.items()}
        for name in header.columns.keys() | listed.keys() | self.tables.keys():
            if name not in self.tables or name not in listed:
                raise DamagedArchive(f"the table {name} is missing from the archive or its list")
            if self.tables[name] != listed[name]:
                raise DamagedArchive(f"the rows of {name} are damaged: their sha256 differs")
        apart = contents.objects.items() ^ self.objects.items()
        if apart:
            sha256, _ = min(apart)
            raise DamagedArchive(f"the object {sha256} differs between archive and list")


def check_backup(file: IO[bytes]) -> Checked:
    """Read an archive from end to end.

    Raises:
        DamagedArchive: it is not a complete backup; the message says where.
    """
    archive = ArchiveReader(file)
    tally = Tally()
    rows: dict[str, int] = {}
    for member in archive.members():
        if not member.is_table:
            tally.count(member, digest_of(member))
            continue
        with tempfile.TemporaryFile() as saved:
            tally.count(member, digest_of(member, saved))
            saved.seek(0)
            # COPY text has a line per row: line feeds within values are escaped.
            rows[member.name] = sum(piece.count(b"\n") for piece in unpacked(saved, member.name))
    contents = archive.contents
    tally.compare(archive.header, contents)
    for name, entry in contents.tables.items():
        if rows[name] != entry.rows:
            raise DamagedArchive(f"{name} has {rows[name]:,} rows, but {entry.rows:,} are listed")
    return Checked(
        stepahead=archive.header.stepahead,
        revision=archive.header.revision,
        created_at=archive.header.created_at,
        rows=rows,
        objects=len(contents.objects),
        object_bytes=sum(contents.objects.values()),
        missing=contents.missing,
    )

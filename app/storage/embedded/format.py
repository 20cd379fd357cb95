"""Mark a data directory with the Stepahead that wrote it, in a form that later ones understand."""

import importlib.metadata
import json
from pathlib import Path

from app.storage.embedded.durable import write_file
from app.storage.embedded.errors import DataDirectoryDamaged, NewerDataDirectory, explained

# Raised whenever an older Stepahead could not use, or would damage, what this one writes.
FORMAT = 1
MARK = "stepahead.json"


def check_format(data_dir: Path) -> bool:
    """Return whether the directory is marked; only read.

    Raises:
        NewerDataDirectory: its format is newer than this Stepahead knows.
        DataDirectoryDamaged: the mark is invalid.
        EmbeddedPostgresError: the mark cannot be read.
    """
    path = data_dir / MARK
    with explained("read the data directory", path):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return False
    try:
        mark = json.loads(text)
    except ValueError:
        mark = None
    number = mark.get("format") if isinstance(mark, dict) else None
    if not isinstance(mark, dict) or not isinstance(number, int):
        raise DataDirectoryDamaged(
            f'{path} should hold {{"format": {FORMAT}}} but it does not. Restore it from '
            "a backup, or write that into it if this version of Stepahead made the directory."
        )
    if number > FORMAT:
        raise NewerDataDirectory(
            f"{data_dir} was written by a newer Stepahead ({mark.get('written_by', 'unknown')}, "
            f"format {number}; this one knows up to {FORMAT}). Nothing was changed. Install that "
            "version or a later one, or choose another directory with STEPAHEAD_DATA_DIR."
        )
    return True


def write_format(data_dir: Path) -> None:
    """Mark the directory as written by this Stepahead.

    Raises:
        EmbeddedPostgresError: it cannot be written.
    """
    mark = {"format": FORMAT, "written_by": importlib.metadata.version("stepahead")}
    with explained("mark the data directory", data_dir):
        write_file(data_dir / MARK, json.dumps(mark) + "\n")

"""Print how a file is read, as JSON: `python -m app.reading FILE [OPTION=VALUE ...]`."""

import json
import sys
from pathlib import Path

from pydantic import ValidationError

from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from app.reading.report import UnreadableFile


def main(arguments: list[str]) -> int:
    """Read a file and print the report; return 1 if the file cannot be used."""
    if not arguments:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    path = Path(arguments[0])
    said = dict(argument.split("=", 1) for argument in arguments[1:])
    try:
        options = ReadOptions.model_validate_json(json.dumps(said))
        answer = read_file(path, path.name, options).report.model_dump(mode="json")
    except (UnreadableFile, ValidationError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
    return 0


sys.exit(main(sys.argv[1:]))

"""Keep the text of a CSV from being run by a spreadsheet."""

import re

# A spreadsheet considers a cell that begins like this a formula and may run it (OWASP, "CSV
# Injection"); the last four are the full-width forms of the first four.
FORMULA_START = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def spreadsheet_cell(value: object) -> object:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    if isinstance(value, str) and FORMULA_START.match(value):
        return f"'{value}"
    return value

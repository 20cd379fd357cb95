"""Tables that can be read at 80 columns: one line under the head, no other."""

from rich import box
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text


def plain_table(*heads: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table; columns named in `right` hold numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for head in heads:
        justify: JustifyMethod = "right" if head in right else "left"
        table.add_column(head, justify=justify)
    return table


def clipped(text: str, width: int) -> Text:
    """Return a text of at most `width` columns, its end replaced by … if it is longer."""
    told = Text(text, no_wrap=True)
    told.truncate(width, overflow="ellipsis")
    return told

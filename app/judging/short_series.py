"""Series too short to take part beside longer ones, in a sentence: which, and how short."""

from collections.abc import Mapping

NAMED = 10


def not_trained_on(
    lengths: Mapping[str, int], *, of: int, window: int, needed: int, before_cut: bool
) -> str:
    """What the scorecard says of series that no example to train on lies in.

    Args:
        lengths: complete rows in a row that each of them has, by label.
        of: how many series there are.
        window: past steps in an example.
        needed: rows in an example.
        before_cut: only the rows before the cut are trained on.
    """
    count = len(lengths)
    told = "is too short for the window" if count == 1 else "are too short for the window"
    where = " before the cut" if before_cut else ""
    return (
        f"{count} of {of} series {told} of {window} and {'was' if count == 1 else 'were'} not "
        f"trained on, which takes {needed} complete rows in a row{where}: {_named(lengths)}; a "
        "smaller recipe.window takes less"
    )


def not_judged(lengths: Mapping[str, int], *, of: int, window: int) -> str:
    """What a scorecard says of series of another dataset in which no row can be forecast.

    Args:
        lengths: rows that each of them has, by label.
        of: how many series there are.
        window: past steps that a forecast takes.
    """
    count = len(lengths)
    return (
        f"{count} of {of} series {'has' if count == 1 else 'have'} no row to forecast from a "
        f"complete window of {window} before it: {_named(lengths)}"
    )


def _named(lengths: Mapping[str, int]) -> str:
    first = list(lengths.items())[:NAMED]
    told = ", ".join(f"{label!r} has {rows}" for label, rows in first)
    more = len(lengths) - len(first)
    return f"{told} and {more} more" if more else told

"""What a file says about the rows after the end of its target."""

import numpy as np

from app.reading.content import SeriesContent


def known_ahead(
    content: SeriesContent, *, features: tuple[str, ...], known: tuple[str, ...], rows: int
) -> dict[str, list[float]]:
    """Return the values of known columns in the rows after a series' last complete one.

    Args:
        content: of one series.
        features: columns in which a complete row has numbers.
        known: columns known ahead; a row counts if it has numbers in all of them.
        rows: maximum number of rows.
    """
    there = np.isfinite(np.stack([content.column(name) for name in features]))  # (features, rows)
    complete = np.flatnonzero(there.all(axis=0))
    first = int(complete[-1]) + 1 if len(complete) else len(content)
    columns = {name: content.column(name)[first : first + rows] for name in known}
    there = np.isfinite(np.stack(list(columns.values())))  # (known, rows)
    gaps = np.flatnonzero(~there.all(axis=0))
    count = int(gaps[0]) if len(gaps) else there.shape[1]
    return {name: column[:count].tolist() for name, column in columns.items()}

"""The end of the user's file, as a prediction request takes it.

Read here, by the service's own reader: what was uploaded is not sent back, and the request that
comes out is one that the user can send again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.datasets.content import SeriesContent
from app.datasets.read_options import ReadOptions
from app.datasets.reading import read_file
from app.terminal.client import Json

# A longer history than the network sees is trimmed by the service; this much is shown in a call.
ROWS = 2000
CHARACTERS = 2000


@dataclass(frozen=True, kw_only=True)
class Tail:
    """What came last."""

    told: str  # for people, the end of "What comes after …"
    history: list[float] | dict[str, list[float]] | None = None
    timestamps: list[str] | None = None
    series: str | None = None
    text: str | None = None

    def request(self) -> Json:
        """The fields of `POST /predict`, the model aside."""
        fields: Mapping[str, Any] = {
            "history": self.history,
            "timestamps": self.timestamps,
            "series": self.series,
            "text": self.text,
        }
        return {name: value for name, value in fields.items() if value is not None}


def tail_of(path: Path, read: Json, manifest: Json) -> Tail | None:
    """As much of the file's end as the version sees; None where there is not enough.

    Args:
        path: the file that was uploaded.
        read: its `read` options.
        manifest: of the version.
    """
    content = read_file(path, path.name, ReadOptions.model_validate(read)).content
    if isinstance(content, SeriesContent):
        return _of_series(content, manifest)
    words = content.text[-CHARACTERS:].split()
    window = manifest["window"] or len(words)
    last = " ".join(words[-window:])
    return Tail(told=repr(last[-40:]), text=last)


def _of_series(content: SeriesContent, manifest: Json) -> Tail | None:
    names = tuple(feature["name"] for feature in manifest["series"]["features"])
    last_label = content.labels[-1]
    rows = content.of_series(last_label).complete(names)
    rows = rows.tail(min(manifest["window"] or ROWS, ROWS))
    if len(rows) < manifest["min_history"]:
        return None
    columns = {name: [float(value) for value in rows.column(name)] for name in names}
    times = rows.row_times_iso()
    (target,) = names if len(names) == 1 else (manifest["series"]["target"],)
    last = f"{target} {np.format_float_positional(columns[target][-1], trim='-')}"
    return Tail(
        told=f"{times[-1]} ({last})" if times else last,
        history=columns[names[0]] if len(names) == 1 else columns,
        timestamps=times or None,
        series=last_label or None,
    )

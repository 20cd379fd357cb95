"""Forecast with the shipped `universal`, which needs no training, from every judged row."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnxruntime

from app.artifact.files import FORECAST, HISTORY, MODEL, SEASON_PERIODS, read_artifact
from app.artifact.onnx_session import session_of
from app.config import shipped_dir
from app.forecasting.frequencies import SEASONS_TOLD, Periods, periods_of
from app.forecasting.season import detected_periods
from app.judging.forecasts import Floats, Ids, JudgedSeries
from app.judging.simple_forecasts import UNIVERSAL

# A run of the graph takes about a millisecond for each window. With more, evenly spaced rows are
# forecast.
MOST_WINDOWS = 10_000
PER_RUN = 16  # windows; fewer take longer each, as in `predictions.loaded`


@dataclass(frozen=True, kw_only=True)
class Universal:
    """The newest shipped version, or one whose weights were trained further."""

    folder: Path  # of the shipped version
    window: int
    least: int  # values that it needs
    horizon: int
    graph: bytes

    @property
    def number(self) -> int:
        """The number of the shipped version."""
        return int(self.folder.name)

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """The loaded graph."""
        return session_of(self.graph)

    def forecasts(self, windows: Floats, periods: Ids, *, horizon: int) -> Floats:
        """Return forecasts (n, horizon); beyond its own horizon they are fed back.

        Args:
            windows: (n, window), NaN where a value is missing.
            periods: (n, 2).
            horizon: steps ahead.
        """
        found: list[Floats] = []
        for _ in range(0, horizon, self.horizon):
            fed = {HISTORY: windows[:, :, None], SEASON_PERIODS: periods}
            found += self.session.run([FORECAST], fed)
            windows = np.concatenate([windows, found[-1]], axis=1)[:, -self.window :]
        return np.concatenate(found, axis=1)[:, :horizon]


@lru_cache(maxsize=1)
def shipped_universal() -> Universal:
    """Return the newest shipped version, which is read once."""
    versions = (shipped_dir("models") / UNIVERSAL).iterdir()
    folder = max(versions, key=lambda path: int(path.name))
    manifest, _ = read_artifact(folder)
    return Universal(
        folder=folder,
        window=manifest.window or 0,
        least=manifest.min_history,
        horizon=manifest.horizon,
        graph=(folder / MODEL).read_bytes(),
    )


def universal_forecasts(
    parts: Sequence[JudgedSeries],
    *,
    horizon: int,
    frequency: str | None,
    check: Callable[[], None] = lambda: None,
    most: int = MOST_WINDOWS,
) -> list[Floats]:
    """Return the forecasts from the judged rows of each series, (n, horizon).

    NaN where fewer than three values are known before a row, and for rows left out because there
    are very many.

    Args:
        parts: the judged series.
        horizon: steps ahead.
        frequency: of the rows; None: seasons are found in the training rows.
        check: called between runs; may raise to stop.
        most: windows that are run.
    """
    universal = shipped_universal()
    runs = -(-horizon // universal.horizon)
    rows = sum(len(part) for part in parts)
    every = max(1, -(-rows * runs // most))
    found = [np.full((len(part), horizon), np.nan) for part in parts]
    chosen = list(_windows(parts, universal, frequency, every=every))
    for start in range(0, len(chosen), PER_RUN):
        group = chosen[start : start + PER_RUN]
        windows = np.stack([window for *_, window in group])
        periods = np.array([told for *_, told, _ in group], np.int64)
        given = universal.forecasts(windows, periods, horizon=horizon)
        for (part, row, *_), own in zip(group, given, strict=True):
            found[part][row] = own
        check()
    return found


def _windows(
    parts: Sequence[JudgedSeries], universal: Universal, frequency: str | None, *, every: int
) -> Iterator[tuple[int, int, Periods, Floats]]:
    """Yield the number of a part, a row of it, its periods and the window before the row."""
    longest = universal.window // SEASONS_TOLD
    rows = 0
    for number, part in enumerate(parts):
        periods = periods_of(frequency, None, longest=longest)
        if periods is None:
            periods = detected_periods(part.training[-universal.window :], longest=longest)
        padded = np.concatenate([np.full(universal.window, np.nan), part.values])
        counts = np.cumsum(np.isfinite(padded))
        first = -rows % every
        rows += len(part)
        for row in range(first, len(part), every):
            end = int(part.first[row]) + universal.window
            if counts[end - 1] >= universal.least:
                yield number, row, periods, padded[end - universal.window : end]

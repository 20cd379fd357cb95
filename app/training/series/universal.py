"""`universal` beside the simple forecasts of a training run."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np

from app.forecasting.frequencies import SEASONS_TOLD, Periods, periods_of
from app.forecasting.season import detected_periods
from app.judging.universal_baseline import PER_RUN, Universal, shipped_universal
from app.training.series.data import Floats, Ids, SeriesData

# It forecasts each row in about a millisecond, several times: to be weighed, trained on top of,
# calibrated and judged.
MOST_ROWS = 5_000
KEY_BYTES = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class UniversalMember:
    """`universal` as it forecasts one dataset, with the forecasts that it has made so far."""

    network: Universal
    window: int
    horizon: int
    periods: Periods
    _made: dict[bytes, Floats] = field(default_factory=dict)

    def with_graph(self, graph: bytes) -> "UniversalMember":
        """Return this member with weights that were trained further."""
        return replace(self, network=replace(self.network, graph=graph), _made={})

    @property
    def graph(self) -> bytes:
        """Its ONNX file."""
        return self.network.graph

    def of_windows(self, windows: Floats) -> Floats:
        """Return forecasts (n, horizon) from windows (n, window); NaN before a history begins."""
        keys = [blake2b(each.tobytes(), digest_size=KEY_BYTES).digest() for each in windows]
        new = {key: place for place, key in enumerate(keys) if key not in self._made}
        places = list(new.values())
        for start in range(0, len(places), PER_RUN):
            chosen = places[start : start + PER_RUN]
            context = np.full((len(chosen), self.network.window), np.nan)
            read = windows[chosen, -self.network.window :]
            context[:, -read.shape[1] :] = read
            periods = np.array([self.periods] * len(chosen), np.int64)
            given = self.network.forecasts(context, periods, horizon=self.horizon)
            self._made.update(zip((keys[place] for place in chosen), given, strict=True))
        return np.stack([self._made[key] for key in keys])

    def before(self, values: Floats) -> Callable[[Ids], Floats]:
        """Return what forecasts (n, horizon) a series (rows,) from the rows before origins (n,)."""
        padded = np.concatenate([np.full(self.window, np.nan), values])
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.window)
        return lambda origins: self.of_windows(windows[origins])


def universal_member(
    data: SeriesData, *, window: int, horizon: int, is_limited: bool = True
) -> UniversalMember | str:
    """Return `universal` for a dataset, or why it takes no part.

    Args:
        data: the series.
        window: how many past rows are read.
        horizon: steps ahead.
        is_limited: whether it takes no part in datasets of very many rows.
    """
    network = shipped_universal()
    rows = sum(group.split.rows for group in data.groups)
    if is_limited and rows > MOST_ROWS:
        return f"{rows:,} rows are more than the {MOST_ROWS:,} up to which it takes part"
    if horizon > network.horizon:
        return f"the horizon of {horizon} is past the {network.horizon} steps it forecasts at once"
    longest = network.window // SEASONS_TOLD
    periods = periods_of(data.content.frequency, data.calendar, longest=longest)
    if periods is None:
        largest = max(data.groups, key=lambda group: group.split.test_start)
        known = largest.target[: largest.split.test_start]
        periods = detected_periods(known[-network.window :], longest=longest)
    return UniversalMember(network=network, window=window, horizon=horizon, periods=periods)

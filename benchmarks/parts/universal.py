"""Run the shipped model `universal` through its graph only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

SHIPPED = Path(__file__).parents[2] / "models" / "universal" / "1" / "model.onnx"
LEVELS = (80, 95)
PER_RUN = 16  # as the service runs them

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast:
    """A forecast with its intervals."""

    values: Floats  # (horizon,)
    bounds: Floats  # (horizon, LEVELS, 2)


class Universal:
    """The graph on one thread."""

    def __init__(self, path: Path = SHIPPED) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.bytes = path.stat().st_size
        self._session = onnxruntime.InferenceSession(path.read_bytes(), options)
        self.context = int(self._session.get_inputs()[0].shape[1])

    def forecast(
        self, histories: Sequence[Floats], periods: Sequence[tuple[int, int]], *, horizon: int
    ) -> list[Forecast]:
        """Continue histories of any lengths, each with its periods (0: none)."""
        windows = np.full((len(histories), self.context, 1), np.nan)
        for window, history in zip(windows, histories, strict=True):
            newest = history[-self.context :]
            window[-len(newest) :, 0] = newest
        told = np.array([[x if x > 1 else 0 for x in pair] for pair in periods], np.int64)
        found = []
        for start in range(0, len(windows), PER_RUN):
            rows = slice(start, start + PER_RUN)
            values, bounds = self.run(windows[rows], told[rows])
            found += [
                Forecast(values=own[:horizon], bounds=ends[:horizon])
                for own, ends in zip(values, bounds, strict=True)
            ]
        return found

    def run(self, windows: Floats, periods: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Run the graph once."""
        values, bounds = self._session.run(
            ["forecast", "intervals"],
            {
                "history": windows,
                "periods": periods,
                "levels": np.array(LEVELS, np.int64),
            },
        )
        return np.asarray(values), np.asarray(bounds)

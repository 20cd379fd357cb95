"""Generate texts."""

import numpy as np
from numpy.typing import NDArray


def zipf(tokens: int, size: int, seed: int = 0) -> NDArray[np.int64]:
    """Return a text in which the next token depends on the last one."""
    generator = np.random.default_rng(seed)
    ids = [0]
    for jump in generator.zipf(1.5, tokens - 1):
        ids.append(int((2 * ids[-1] + jump) % size))
    return np.array(ids)

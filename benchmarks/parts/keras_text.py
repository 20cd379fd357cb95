"""A character LSTM written the ordinary way in Keras, as a reference for texts."""

import time
from typing import Any

import keras
import numpy as np

UNITS, EMBEDDING, STEPS, STREAMS = 256, 64, 64, 16
JUDGED_AT_ONCE = 256


class Budget(keras.callbacks.Callback):  # type: ignore[misc] # Keras ships no types
    """Stops a fit once it has had its processor time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end = time.process_time() + seconds

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401 (Keras')
        """Look at the clock."""
        del batch, logs
        if time.process_time() > self._end:
            self.model.stop_training = True


def bits_per_character(text: str, *, judged_share: float, seconds: float) -> float:
    """Train on the beginning of a text for some processor time; return the bits on its end.

    Characters that the beginning lacks are one more token.
    """
    cut = round(len(text) * (1 - judged_share))
    known = {character: number for number, character in enumerate(sorted(set(text[:cut])), 1)}
    ids = np.array([known.get(character, 0) for character in text], np.int32)
    columns = (cut - 1) // STREAMS // STEPS * STEPS
    streams = ids[: columns * STREAMS].reshape(STREAMS, -1)  # (streams, columns)
    targets = ids[1 : columns * STREAMS + 1].reshape(STREAMS, -1)

    def batches(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        pieces = np.split(array, columns // STEPS, axis=1)
        return np.concatenate(pieces)  # (pieces * streams, STEPS), so that states carry on

    network = _network(len(known) + 1, STREAMS)
    network.compile("adam", "sparse_categorical_crossentropy")
    network.fit(
        batches(streams), batches(targets), STREAMS, 1000, 0, [Budget(seconds)], shuffle=False
    )
    judge = _network(len(known) + 1, 1)
    judge.set_weights(network.get_weights())
    bits = []
    for first in range(max(0, cut - 1025), len(ids) - 1, JUDGED_AT_ONCE):
        piece = ids[None, first : min(first + JUDGED_AT_ONCE, len(ids) - 1)]
        given = judge(piece).numpy()[0]  # (steps, vocabulary)
        following = ids[first + 1 : first + 1 + len(given)]
        bits.append(-np.log2(np.maximum(given[np.arange(len(given)), following], 1e-30)))
    return float(np.concatenate(bits)[-(len(ids) - cut) :].mean())


def _network(vocabulary: int, streams: int) -> Any:  # noqa: ANN401 (Keras ships no types)
    source = keras.Input((None,), batch_size=streams, dtype="int32")
    hidden = keras.layers.Embedding(vocabulary, EMBEDDING)(source)
    hidden = keras.layers.LSTM(UNITS, return_sequences=True, stateful=True)(hidden)
    return keras.Model(source, keras.layers.Dense(vocabulary, activation="softmax")(hidden))

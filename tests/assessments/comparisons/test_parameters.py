import json

import pytest

from app.artifact.files import WEIGHTS, read_artifact
from app.assessments.comparisons.parameters import parameters_of
from app.config import PROJECT_DIR
from app.recipes.recipe import Cell
from tests.registry.records import series_manifest


@pytest.mark.parametrize("model", ["google-stock", "belling-the-cat", "hello"])
def test_the_shipped_versions_have_as_many_as_their_files(model: str) -> None:
    folder = PROJECT_DIR / "models" / model / "1"
    manifest, _ = read_artifact(folder)
    data = (folder / WEIGHTS).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    stored = 0
    for name, entry in header.items():
        if name != "__metadata__" and not name.startswith("anchor."):
            count = 1
            for size in entry["shape"]:
                count *= size
            stored += count

    assert parameters_of(manifest) == stored


@pytest.mark.parametrize(("cell", "expected"), [("rnn", 4 * 6), ("gru", 3 * 4 * 7), ("lstm", 96)])
def test_cells_differ_by_their_gates(cell: Cell, expected: int) -> None:
    # LSTM(4) with one input, as in the chapter: 96 weights and biases, and 5 in the output layer.
    recipe = series_manifest().recipe.model_copy(update={"cell": cell})

    assert parameters_of(series_manifest(recipe=recipe)) == expected + 5

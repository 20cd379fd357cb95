"""Use another version's weights as initial weights."""

from dataclasses import replace

from app.errors import Unprocessable
from app.training.architecture import Architecture, Weights


def same_form(architecture: Architecture, weights: Weights) -> Weights:
    """Return the weights, if they are those of such a network.

    Raises:
        Unprocessable: the forms differ; names the first weight that does.
    """
    expected = architecture.weight_shapes()
    for name in [*expected, *weights]:
        here = expected.get(name)
        there = weights[name].shape if name in weights else None
        if here != there:
            raise Unprocessable.at(
                "start_from",
                f"that version's network has a different form: {name} is {there or 'absent'} there "
                f"and {here or 'absent'} here; use its recipe and columns",
            )
    return {name: weights[name] for name in expected}


def same_vocabulary(
    architecture: Architecture,
    fresh: Weights,
    weights: Weights,
    *,
    there: tuple[str, ...],
    here: tuple[str, ...],
) -> Weights:
    """Map weights to another vocabulary, token by token; new tokens keep their fresh weights.

    Args:
        architecture: the form here.
        fresh: initial weights of new tokens.
        weights: of the other version.
        there: its vocabulary.
        here: the vocabulary to train with.

    Raises:
        Unprocessable: the networks differ in more than the vocabulary.
    """
    resized = replace(architecture, inputs=len(there), outputs=len(there))
    known = same_form(resized, weights)
    old_ids = {token: number for number, token in enumerate(there)}
    new = [number for number, token in enumerate(here) if token in old_ids]
    old = [old_ids[here[number]] for number in new]
    moved = dict(known)
    by_row = "embedding" if architecture.embedding is not None else "layer0.kernel"
    for name, axis in ((by_row, 0), ("output.kernel", 1), ("output.bias", 0)):
        moved[name] = fresh[name].copy()
        target = moved[name] if axis == 0 else moved[name].T
        target[new] = (known[name] if axis == 0 else known[name].T)[old]
    return moved

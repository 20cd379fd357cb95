"""Explain a continuation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.cells.influence import probability_of
from app.cells.losses import softmax
from app.cells.network import Network, NetworkTrace
from app.errors import Unprocessable
from app.explanations.layers import opened_layers
from app.explanations.limits import MOST_WORK, check_size, influence_of, work_per_step
from app.explanations.network_cache import Opened
from app.explanations.schemas import ExplainRequest, TextExplanation, TextInfluence
from app.language.mixture import ngram_order
from app.language.sampling import alternatives, choose
from app.language.tokenizer import Tokenizer
from app.predictions.loaded import Loaded
from app.predictions.schemas import MAX_ALTERNATIVES
from app.predictions.text import TextQuestion
from app.predictions.texts.answer import TokenProbability

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

# Runs step by step in Python and blocks other requests: 50 ms per 1,000 tokens.
MOST_TOKENS = 10_000
# The trace of a piece is discarded before the next.
PIECE_TOKENS = 512


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A text as one network read it."""

    before: tuple[Floats, ...] | None  # states before the tokens shown; None: zero
    trace: NetworkTrace  # of the tokens shown

    @property
    def probabilities(self) -> Floats:
        """After every token shown, (shown, vocabulary)."""
        return softmax(self.trace.outputs[0])


def read(network: Network, ids: Ids, *, shown: int) -> Reading:
    """Read ids (tokens,) and keep the trace of the last `shown`."""
    before: tuple[Floats, ...] | None = None
    earlier = ids[:-shown]
    for start in range(0, len(earlier), PIECE_TOKENS):
        piece = earlier[None, start : start + PIECE_TOKENS]  # (1, tokens)
        before = network.forward(piece, before, every_step=False).final
    return Reading(before=before, trace=network.forward(ids[None, -shown:], before))


def explain(
    version: Loaded, opened: Opened, request: ExplainRequest, *, question: TextQuestion
) -> TextExplanation:
    """Explain the next token.

    Args:
        version: that would answer.
        opened: its networks.
        request: what to explain and to show.
        question: the prediction, as `POST /predict` reads it.

    Raises:
        Unprocessable: a token is unknown, or the explanation would be too large.
    """
    tokenizer = version.tokenizer
    if tokenizer is None:
        raise TypeError(f"{version} is not a text version")
    ids, shown = question.ids, min(request.steps, len(question.ids))
    network = opened.networks[request.member - 1]
    _check_limits(network, request, question, shown=shown)
    readings = [read(each, ids, shown=shown) for each in opened.networks]
    together = np.mean([reading.probabilities for reading in readings], axis=0)
    token = _token(tokenizer, request, together[-1])
    reading = readings[request.member - 1]
    influence = influence_of(
        network, ids[-shown:], probability_of(token), initial=reading.before, field="steps"
    )
    return TextExplanation(
        model=version.model,
        version=version.number,
        kind="text",
        member=request.member,
        members=len(opened.networks),
        cell=version.manifest.recipe.cell,
        steps=len(ids),
        shown=shown,
        token=tokenizer.vocabulary[token],
        probability=influence.output,
        baseline=influence.baseline,
        gap=influence.gap,
        inputs=_inputs(tokenizer, ids[-shown:], influence.values, together, top_k=question.top_k),
        layers=opened_layers(reading.trace.layers, steps=shown, units=request.units),
        skill=version.skill_over(1),
        warnings=[*question.warnings, *_warnings(version)],
    )


def _warnings(version: Loaded) -> list[str]:
    described = version.manifest.text
    states = () if described is None else described.states
    order = ngram_order([(state.name, state.units) for state in states])
    told = f"this is the network alone, which answers mix with an n-gram of order {order}"
    return [] if order is None else [told]


def _inputs(
    tokenizer: Tokenizer, ids: Ids, influence: Floats, probabilities: Floats, *, top_k: int
) -> list[TextInfluence]:
    """Return the tokens shown, oldest first.

    Args:
        tokenizer: of the version.
        ids: (shown,)
        influence: (shown,)
        probabilities: after each of them, (shown, vocabulary)
        top_k: number of expected tokens after each.
    """
    tokens = tokenizer.vocabulary
    return [
        TextInfluence(
            step=number - len(ids) + 1,
            token=tokens[token],
            influence=float(influence[number]),
            next=[
                TokenProbability(token=tokens[other.id], probability=other.probability)
                for other in alternatives(probabilities[number], top_k)
            ],
        )
        for number, token in enumerate(ids)
    ]


def _check_limits(
    network: Network, request: ExplainRequest, question: TextQuestion, *, shown: int
) -> None:
    tokens = len(question.ids)
    most = min(MOST_TOKENS, int(MOST_WORK / work_per_step(network)))
    if tokens > most:
        raise Unprocessable.at(
            "text", f"has {tokens:,} tokens, but at most {most:,} can be explained; send its end"
        )
    if shown * question.top_k > MAX_ALTERNATIVES:
        raise Unprocessable.at(
            "top_k",
            f"{question.top_k} after each of {shown} tokens are more than {MAX_ALTERNATIVES:,} in "
            "total; ask for fewer, or for fewer steps",
        )
    check_size(network, steps=shown, units=request.units)


def _token(tokenizer: Tokenizer, request: ExplainRequest, probabilities: Floats) -> int:
    """Return the id of the token to explain; by default the one that would be predicted."""
    if request.token is None:
        excluded = () if tokenizer.unknown_id is None else (tokenizer.unknown_id,)
        return choose(probabilities, exclude=excluded)
    found = tokenizer.id_of.get(request.token)
    if found is None:
        raise Unprocessable.at("token", f"{request.token[:100]!r} is not in the vocabulary")
    return found

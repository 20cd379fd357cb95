"""Prepare a text for training: vocabulary, the cut by time, and what the network learns from it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from app.artifact.manifest import State, TextInput
from app.artifact.onnx_session import token_probabilities, zero_states
from app.artifact.scorecard import Memory
from app.errors import Unprocessable
from app.forecasting.windows import Split, split_rows
from app.judging.judgement import JudgedOn, Judgement
from app.judging.text_judge import Passage, contains, judge_text, judged_from
from app.language.mixture import Mixture
from app.language.tokenizer import Tokenizer
from app.reading.content import DatasetContent, TextContent
from app.recipes.recipe import TextRecipe
from app.training.architecture import Architecture, Weights, architecture_of
from app.training.export.graph import text_graph
from app.training.fit import Part, Plan
from app.training.keras_network import build_network, with_weights
from app.training.program import Form, capacity_of
from app.training.reach import STREAM_STEPS, text_memory
from app.training.task import Description, Phase
from app.training.text.choice import chosen_mixture
from app.training.warm_start import same_vocabulary

Ids = npt.NDArray[np.int64]
PARITY_CONTEXTS = 128
PARITY_STEPS = 32  # of each context of a stream


@dataclass(frozen=True, kw_only=True, eq=False)
class TextTask:
    """A text and its recipe; implements `task.Task`."""

    recipe: TextRecipe
    tokens: tuple[str, ...]
    split: Split
    test_tokens: tuple[str, ...] | None
    # Chosen on the validation part once phase `training` is fitted; empty without an anchor.
    whole: Tokenizer  # of all tokens
    mixtures: dict[Phase, Mixture] = field(default_factory=dict)

    @classmethod
    def prepare(
        cls, content: DatasetContent, recipe: TextRecipe, *, test: DatasetContent | None
    ) -> "TextTask":
        """Cut the text into tokens, and the tokens by time.

        Raises:
            Unprocessable: it cannot be used for this training; says why and what would be right.
        """
        if not isinstance(content, TextContent):
            raise Unprocessable.at("recipe", "is for a text, but the dataset is a series")
        if test is not None and not isinstance(test, TextContent):
            raise Unprocessable.at("test", "is a series, but the model is for a text")
        held_out = 0.0 if test is not None else recipe.test_fraction
        if recipe.unknown == "bytes":
            # The characters after the cut are not known before it; rare ones are several tokens.
            before = round(len(content.text) * (1 - held_out))
            whole = _fitted(content.text[:before], recipe)
        else:
            whole = _fitted(content.text, recipe, min_count=1)
        tokens = whole.tokens(content.text)
        task = cls(
            recipe=recipe,
            tokens=tuple(tokens),
            split=split_rows(
                len(tokens),
                test_fraction=held_out,
                validation_fraction=recipe.validation_fraction,
            ),
            test_tokens=None if test is None else tuple(whole.tokens(test.text)),
            whole=whole,
        )
        task._check_enough()
        return task

    @cached_property
    def judged_on(self) -> JudgedOn:
        """The tokens that the scorecard's figures are measured on."""
        if self.test_tokens is not None:
            return "training" if contains(self.tokens, self.test_tokens) else "test"
        return "held-out" if self.split.test_start < self.split.rows else "training"

    @property
    def rows_left_for_refit(self) -> bool:
        """Whether phase `training` leaves out tokens that `refitting` includes."""
        return self.split.validation_start < self.split.rows

    def architecture(self, phase: Phase) -> Architecture:
        """Return the form of a phase's network: with the words before the cut, or all of them."""
        size, embedding = len(self._tokenizer(phase)), self.recipe.embedding
        return architecture_of(
            self.recipe,
            inputs=size,
            outputs=size,
            embedding=None if embedding == "one-hot" else embedding,
            anchored=False,
        )

    def plan(self, phase: Phase, *, epochs: int | None = None) -> Plan:
        """Return the fit of a phase; `epochs` fixes their number and disables validation."""
        training, validation = self._parts(phase)
        validating = phase == "training" and validation.count > 0 and epochs is None
        return Plan(
            form=Form(
                architecture=self.architecture(phase),
                reading=self.recipe.reading,
                steps=self._steps,
                batch_size=self.recipe.batch_size,
                loss="cross-entropy",
                optimizer=self.recipe.optimizer,
                clip_norm=self.recipe.clip_norm,
                capacity=capacity_of(len(self.tokens)),
                schedule=self.recipe.schedule,
                dropout=self.recipe.dropout,
            ),
            # Tokens that a strict vocabulary lacks are behind the cut, where nothing is fitted.
            inputs=np.maximum(self._ids(phase, self.tokens), 0).astype(np.int32),
            targets=None,
            training=training,
            validation=validation if validating else None,
            epochs=self._epochs(training.count) if epochs is None else epochs,
            patience=self.recipe.early_stopping if validating else None,
            keep_best=validating and self.recipe.early_stopping is not None,
            keep_initial=False,
            learning_rate=self.recipe.learning_rate,
            seed=self.recipe.seed,
        )

    def warm_start(
        self, phase: Phase, fresh: Weights, weights: Weights, vocabulary: tuple[str, ...]
    ) -> Weights:
        """Return another version's weights; tokens that it does not know start fresh."""
        return same_vocabulary(
            self.architecture(phase),
            fresh,
            weights,
            there=vocabulary,
            here=self._tokenizer(phase).vocabulary,
        )

    def share(self, weights: Weights, check: Callable[[], None]) -> float:
        """Return 1: the network is kept whole, and its shares of a mixture are chosen here."""
        if self.recipe.anchor == "ngram":
            self._mix(weights, check)
        return 1.0

    def graph(self, phase: Phase, weights: Weights) -> bytes:
        """Return the ONNX file of a phase's network."""
        return text_graph(
            self.architecture(phase),
            weights,
            window=self._window,
            mixture=self.mixtures.get(phase),
        )

    def constants(self, phase: Phase) -> dict[str, npt.NDArray[np.float64]]:
        """Return nothing: the weights are all that there is."""
        del phase
        return {}

    def parity_gap(self, phase: Phase, weights: Weights, graph: bytes) -> float:
        """Return the largest difference in probability, on the last contexts of the judged text."""
        architecture = self.architecture(phase)
        steps = self._window or min(PARITY_STEPS, len(self.tokens))
        passage = self._passage(phase)
        ids = passage.ids[passage.ids >= 0] if len(passage.ids) >= steps else passage.training_ids
        every = np.lib.stride_tricks.sliding_window_view(ids, min(steps, len(ids)))
        contexts = np.ascontiguousarray(every[-PARITY_CONTEXTS:])  # (n, steps)
        network = build_network(architecture, steps=contexts.shape[1], every_step=False)
        expected = with_weights(network, weights)(contexts.astype(np.int32)).numpy()
        if phase in self.mixtures:
            expected = self.mixtures[phase].mixed(contexts, expected)
        states = None if self._window else zero_states(self._states(phase), len(contexts))
        given, _ = token_probabilities(graph, contexts, states)
        return float(np.abs(given - expected).max())

    def judge(
        self, phase: Phase, weights: Weights, graph: bytes, check: Callable[[], None]
    ) -> Judgement:
        """Compare a phase's network with n-grams; `check` may raise to stop."""
        architecture = self.architecture(phase)
        if self._window is None:  # the same weights, giving the probabilities after every token
            graph = text_graph(
                architecture,
                weights,
                window=None,
                every_step=True,
                mixture=self.mixtures.get(phase),
            )
        return judge_text(
            graph,
            self._passage(phase),
            states=self._states(phase),
            window=self._window,
            judged_on=self.judged_on,
            unit="words" if self.recipe.tokenizer == "word" else "characters",
            check=check,
        )

    def memory(self, phase: Phase, weights: Weights) -> Memory | None:
        """Return how far back a phase's network remembers; None if that is not finite."""
        passage = self._passage(phase)
        ids = passage.ids[passage.ids >= 0]
        if len(ids) < 2:  # a token and the next one
            ids = passage.training_ids
        steps = min(self._window or STREAM_STEPS, len(ids) - 1)
        every = np.lib.stride_tricks.sliding_window_view(ids, steps + 1)  # (n, steps + 1)
        return text_memory(self.recipe, weights, every[:, :-1], every[:, -1])

    def calibration(self) -> None:
        """Return None: a text's answer is probabilities already."""

    def describe(self, phase: Phase) -> Description:
        """Return what serving needs to know about a phase's network."""
        tokenizer, judged = self._tokenizer(phase), self._tokenizer("training")
        stream = self._window is None
        return Description(
            window=self._window,
            min_history=self._window or 1,
            horizon=1,
            text=TextInput(
                tokenizer=self.recipe.tokenizer,
                vocabulary=tokenizer.vocabulary,
                unknown=tokenizer.unknown,
                spells=tokenizer.spells,
                reading=self.recipe.reading,
                judged_vocabulary=(
                    None if judged.vocabulary == tokenizer.vocabulary else judged.vocabulary
                ),
                states=tuple(State(name=name, units=units) for name, units in self._states(phase))
                if stream
                else (),
            ),
        )

    @property
    def _window(self) -> int | None:
        """Return the number of tokens in a window; None for a stream."""
        return self.recipe.window if self.recipe.reading == "window" else None

    @property
    def _steps(self) -> int:
        steps = self.recipe.window if self.recipe.reading == "window" else self.recipe.truncate
        if steps is None:
            raise Unprocessable.at(
                "recipe.window" if self.recipe.reading == "window" else "recipe.truncate",
                f"reading {self.recipe.reading} needs it",
            )
        return steps

    def _epochs(self, tokens: int) -> int:
        """Return the number of epochs for a text of so many tokens."""
        budget, epochs = self.recipe.token_budget, self.recipe.epochs
        return epochs if budget is None else max(1, min(epochs, budget // tokens))

    def _states(self, phase: Phase) -> tuple[tuple[str, int], ...]:
        """Return name and size of every state of a phase's graph."""
        own = self.architecture(phase).states()
        mixture = self.mixtures.get(phase)
        return own if mixture is None else (*own, mixture.state)

    def _mix(self, weights: Weights, check: Callable[[], None]) -> None:
        """Choose the n-gram and the network's shares, with the network of phase `training`."""
        ids, split = self._ids("training", self.tokens), self.split
        architecture = self.architecture("training")
        mixture = chosen_mixture(
            text_graph(architecture, weights, window=None, every_step=True),
            ids[: split.test_start],
            states=architecture.states(),
            validation_start=split.validation_start,
            vocabulary_size=len(self._tokenizer("training")),
            check=check,
        )
        # As the n-gram beside it on the scorecard, it has counted the validation part, too.
        self.mixtures["training"] = mixture
        self.mixtures["judging"] = mixture.counted_on(ids[: split.test_start])
        check()
        if self.recipe.refit:
            self.mixtures["refitting"] = mixture.counted_on(ids)

    @cached_property
    def _tokenizers(self) -> dict[Phase, Tokenizer]:
        if self.whole.spells:
            return {"training": self.whole, "refitting": self.whole}
        whole = _fitted(self._joined(self.split.rows), self.recipe)
        if self.split.test_start == self.split.rows:
            return {"training": whole, "refitting": whole}
        # What follows the cut is unknown before it, including its words.
        before = _fitted(self._joined(self.split.test_start), self.recipe)
        return {"training": before, "refitting": whole}

    def _tokenizer(self, phase: Phase) -> Tokenizer:
        return self._tokenizers["refitting" if phase == "refitting" else "training"]

    def _joined(self, count: int) -> str:
        """Join the first tokens into a text that is cut into the same tokens again."""
        return self._written(self.tokens[:count])

    def _written(self, tokens: tuple[str, ...]) -> str:
        return self.whole.decode(tokens)

    def _ids(self, phase: Phase, tokens: tuple[str, ...]) -> Ids:
        """Return ids, (tokens,); -1 for a token that a strict vocabulary lacks."""
        tokenizer = self._tokenizer(phase)
        missing = -1 if tokenizer.unknown_id is None else tokenizer.unknown_id
        id_of = tokenizer.id_of
        return np.array([id_of.get(token, missing) for token in tokens], np.int64)

    def _parts(self, phase: Phase) -> tuple[Part, Part]:
        """Return what is trained on and what is for validation."""
        stop = self.split.rows if phase == "refitting" else self.split.validation_start
        validated = self.split.test_start - stop if phase == "training" else 0
        if self._window is None:
            return (
                Part(begin=0, count=max(0, stop - 1)),
                Part(begin=max(0, stop - 1), count=validated),
            )
        # A row is a window's first position; its target is `window` tokens further on.
        training = np.arange(max(0, stop - self._window), dtype=np.int32)
        validation = np.arange(
            max(0, stop - self._window), max(0, stop + validated - self._window), dtype=np.int32
        )
        return (
            Part(rows=training, count=len(training)),
            Part(rows=validation, count=len(validation)),
        )

    def _passage(self, phase: Phase) -> Passage:
        """Return what is judged, and what precedes it."""
        own, cut, first = self._ids(phase, self.tokens), self.split.test_start, self._window or 1
        tokens = self.tokens if self.test_tokens is None else self.test_tokens
        ids = own if self.test_tokens is None else self._ids(phase, tokens)
        held_out = self.test_tokens is None and cut < self.split.rows
        start = judged_from(ids, start=cut if held_out else 0, context=first)
        return Passage(
            training_ids=own[:cut],
            ids=ids,
            start=start,
            vocabulary_size=len(self._tokenizer(phase)),
            unknown_id=self._tokenizer(phase).unknown_id,
            characters=len(self._written(tokens[start:])),
            order=self.mixtures[phase].table.order if phase in self.mixtures else None,
        )

    def _check_enough(self) -> None:
        training, validation = self._parts("training")
        first, total = self._window or 1, len(self.tokens)
        if training.count < 1:
            raise Unprocessable(
                f"too short: of {total} tokens {self.split.validation_start} are left to train on, "
                f"and {first + 1} are the fewest that make a context of {first} and its next token"
            )
        if self.recipe.early_stopping is not None and validation.count < 1:
            raise Unprocessable.at(
                "recipe.validation_fraction",
                f"leaves none of {total} tokens to watch; raise it, or set early_stopping to null",
            )
        if self.test_tokens is None:
            return
        known = int((self._ids("refitting", self.test_tokens) >= 0).sum())
        if known <= first:
            raise Unprocessable.at(
                "test",
                f"has {len(self.test_tokens)} tokens, {known} of which the text has; at least "
                f"{first + 1} are needed",
            )


def _fitted(text: str, recipe: TextRecipe, *, min_count: int | None = None) -> Tokenizer:
    try:
        if recipe.unknown == "bytes":
            return Tokenizer.fit_spelling(text, min_count=recipe.min_count)
        return Tokenizer.fit(
            text,
            unit=recipe.tokenizer,
            min_count=recipe.min_count if min_count is None else min_count,
            unknown=recipe.unknown == "warn",
        )
    except ValueError as error:
        raise Unprocessable(f"the text cannot be used: {error}") from error

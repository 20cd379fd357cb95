"""Make up sequences after the chapter's examples, in which something has to be remembered."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

NOT_ASKED = -1
SYMBOLS = 8  # that `far_symbol` asks for
COUNTRIES = {"france": "french", "spain": "spanish", "italy": "italian", "greece": "greek"}
PLACES = {"clouds": "sky", "fish": "sea", "cars": "street", "books": "library"}
TALK = ("my", "friend", "likes", "and", "we", "saw", "pictures", "of")
MEN, WOMEN = ("bob", "john"), ("alice", "mary")
DEEDS = ("walks", "home", "then", "sings", "again")


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Sequences and the answers wanted at some of their steps."""

    ids: Ids  # (n, steps)
    targets: Ids  # (n, steps), NOT_ASKED where no answer is wanted


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task that a network can learn."""

    name: str
    vocabulary: tuple[str, ...]
    steps_back: int  # from the question to the token that answers it
    draw: Callable[[np.random.Generator, int], Examples]


def far_symbol(gap: int = 50) -> Task:
    """Ask for the one marked symbol after many unmarked ones of the same kind.

    The unmarked ones make it hard: a state that takes in every symbol loses the marked one.
    """
    marked = tuple(f"!{symbol}" for symbol in range(SYMBOLS))
    vocabulary = (*marked, *(str(symbol) for symbol in range(SYMBOLS)), "?")

    def draw(generator: np.random.Generator, count: int) -> Examples:
        answers = generator.integers(0, SYMBOLS, count)  # (n,)
        noise = generator.integers(SYMBOLS, 2 * SYMBOLS, (count, gap - 1))
        question = np.full(count, 2 * SYMBOLS)
        ids = np.column_stack((answers, noise, question))  # (n, gap + 1)
        return Examples(ids=ids, targets=_asked_at_the_end(ids, answers))

    return Task(name=f"a symbol {gap} steps back", vocabulary=vocabulary, steps_back=gap, draw=draw)


def clouds(filler: int = 20) -> Task:
    """Ask for "sky" after "the clouds are in the": the answer is a few words back."""
    tail = ("are", "in", "the")
    return _sentences(
        name="the clouds are in the …",
        answers=PLACES,
        before=lambda generator: (*_talk(generator, filler, distraction=()), "the"),
        after=lambda _: tail,
        steps_back=len(tail),
    )


def language(filler: int = 40) -> Task:
    """Ask for "french" after "i am going to france …", with other countries in between."""
    tail = ("the", "language", "spoken", "there", "is")
    return _sentences(
        name="i am going to … the language spoken there is …",
        answers=COUNTRIES,
        before=lambda _: ("i", "am", "going", "to"),
        after=lambda generator: (
            *_talk(generator, filler, distraction=tuple(COUNTRIES)),
            *tail,
        ),
        steps_back=filler + len(tail),
    )


def subjects(steps: int = 30) -> Task:
    """Ask at each "and" whether "he" or "she" goes on, while subjects change."""
    vocabulary = (*MEN, *WOMEN, *DEEDS, "and", "he", "she")
    ask, he = vocabulary.index("and"), vocabulary.index("he")
    people, first_deed = len(MEN) + len(WOMEN), len(MEN) + len(WOMEN)

    def draw(generator: np.random.Generator, count: int) -> Examples:
        ids = generator.integers(first_deed, first_deed + len(DEEDS), (count, steps))
        kind = generator.random((count, steps))
        ids[kind < 0.15] = ask  # about every seventh word is a question
        new = kind > 0.88  # and about every eighth a new subject
        new[:, 0] = True
        ids[new] = generator.integers(0, people, int(new.sum()))
        # Where the latest subject is, (n, steps).
        last = np.maximum.accumulate(np.where(new, np.arange(steps), 0), axis=1)
        is_woman = np.take_along_axis(ids, last, axis=1) >= len(MEN)
        targets = np.where(ids == ask, he + is_woman, NOT_ASKED)
        return Examples(ids=ids, targets=targets)

    return Task(name="bob … he, alice … she", vocabulary=vocabulary, steps_back=8, draw=draw)


Words = Callable[[np.random.Generator], tuple[str, ...]]


def _sentences(
    *, name: str, answers: dict[str, str], before: Words, after: Words, steps_back: int
) -> Task:
    """Make up sentences whose last word depends on one in the middle."""
    generator = np.random.default_rng(0)
    said = {*before(generator), *after(generator), *TALK, *answers, *answers.values()}
    vocabulary = tuple(sorted(said))
    id_of = {word: number for number, word in enumerate(vocabulary)}
    middles = list(answers)

    def draw(generator: np.random.Generator, count: int) -> Examples:
        chosen = [middles[number] for number in generator.integers(0, len(middles), count)]
        sentences = [(*before(generator), middle, *after(generator)) for middle in chosen]
        ids = np.array([[id_of[word] for word in sentence] for sentence in sentences])
        ends = np.array([id_of[answers[middle]] for middle in chosen])
        return Examples(ids=ids, targets=_asked_at_the_end(ids, ends))

    return Task(name=name, vocabulary=vocabulary, steps_back=steps_back, draw=draw)


def _talk(
    generator: np.random.Generator, count: int, *, distraction: tuple[str, ...]
) -> tuple[str, ...]:
    words = (*TALK, *distraction)
    return tuple(words[number] for number in generator.integers(0, len(words), count))


def _asked_at_the_end(ids: Ids, answers: Ids) -> Ids:
    targets = np.full(ids.shape, NOT_ASKED)
    targets[:, -1] = answers
    return targets

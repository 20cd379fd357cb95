"""Made-up sequences in which something has to be remembered, after the chapter's examples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

NOT_ASKED = -1
SYMBOLS = 8  # to be told apart by `far_symbol`
COUNTRIES = {"france": "french", "spain": "spanish", "italy": "italian", "greece": "greek"}
PLACES = {"clouds": "sky", "fish": "sea", "cars": "street", "books": "library"}
TALK = ("my", "friend", "likes", "and", "we", "saw", "pictures", "of")
MEN, WOMEN = ("bob", "john"), ("alice", "mary")
DEEDS = ("walks", "home", "then", "sings", "again")


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Sequences and what is asked of them."""

    ids: Ids  # (n, steps)
    targets: Ids  # (n, steps), NOT_ASKED where nothing is asked


@dataclass(frozen=True, kw_only=True)
class Task:
    """Something to be learned."""

    name: str
    vocabulary: tuple[str, ...]
    steps_back: int  # from the question to what answers it
    draw: Callable[[np.random.Generator, int], Examples]


def far_symbol(gap: int = 50) -> Task:
    """One marked symbol, many unmarked ones of the same kind, and then: which was the marked one?

    The unmarked ones matter: a state that takes in all it sees has forgotten by then.
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
    """The clouds are in the sky: the answer stands a few words back."""
    tail = ("are", "in", "the")
    return _sentences(
        name="the clouds are in the …",
        answers=PLACES,
        before=lambda generator: (*_talk(generator, filler, distraction=()), "the"),
        after=lambda _: tail,
        steps_back=len(tail),
    )


def language(filler: int = 40) -> Task:
    """I am going to france … the language spoken there is: talk of other countries between."""
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
    """Subjects come and go; at "and" it is asked whether he or she goes on."""
    vocabulary = (*MEN, *WOMEN, *DEEDS, "and", "he", "she")
    ask, he = vocabulary.index("and"), vocabulary.index("he")
    people, first_deed = len(MEN) + len(WOMEN), len(MEN) + len(WOMEN)

    def draw(generator: np.random.Generator, count: int) -> Examples:
        ids = generator.integers(first_deed, first_deed + len(DEEDS), (count, steps))
        kind = generator.random((count, steps))
        ids[kind < 0.15] = ask  # a question about every seventh word
        new = kind > 0.88  # and a new subject about every eighth
        new[:, 0] = True
        ids[new] = generator.integers(0, people, int(new.sum()))
        # The place of the last subject so far, (n, steps).
        last = np.maximum.accumulate(np.where(new, np.arange(steps), 0), axis=1)
        is_woman = np.take_along_axis(ids, last, axis=1) >= len(MEN)
        targets = np.where(ids == ask, he + is_woman, NOT_ASKED)
        return Examples(ids=ids, targets=targets)

    return Task(name="bob … he, alice … she", vocabulary=vocabulary, steps_back=8, draw=draw)


Words = Callable[[np.random.Generator], tuple[str, ...]]


def _sentences(
    *, name: str, answers: dict[str, str], before: Words, after: Words, steps_back: int
) -> Task:
    """Sentences with a word in the middle that settles how they end."""
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

"""Price requests before they are computed; refuse what is too much, and say what would fit.

A price is seconds of this process, derived from the runs of a version's graph while it was loaded,
and the number of values in the answer. Such requests delay nobody else: what takes long is worked
on in slices, in turn with others (app.predictions.batching).
"""

from collections.abc import Sequence

from app.errors import FieldError, TooLarge, Unprocessable
from app.predictions.loaded import Loaded
from app.predictions.questions import Question

MAX_SECONDS = 10.0
MAX_ANSWER_VALUES = 250_000  # of a batch, about 100 bytes each
MAX_BATCH_CHARACTERS = 1_000_000  # of texts: eight bytes each as tokens
# A number takes 70 bytes while a body is validated, a list 130 and an object 250. A body of 30 MB
# may contain 16 million numbers.
MAX_BODY_VALUES = 500_000
VALUES_OF_AN_OBJECT = 4
SMALL_BODY_BYTES = 500_000


def refuse_too_many_values(body: bytes) -> None:
    """Refuse a body that would take too much memory to read.

    Raises:
        TooLarge: it may contain more values than are allowed.
    """
    values = body.count(b",") + body.count(b"[") + VALUES_OF_AN_OBJECT * body.count(b"{")
    if values > MAX_BODY_VALUES:
        raise TooLarge(
            f"the body has about {values:,} values, and a request may have {MAX_BODY_VALUES:,}: "
            "send fewer items at once, and of each history only the window that the version reads"
        )


def refuse_too_long(question: Question) -> None:
    """Refuse a question that takes too long to answer.

    Raises:
        Unprocessable: it does; the error says how much would fit.
    """
    if question.seconds <= MAX_SECONDS:
        return
    fits = question.what_fits(MAX_SECONDS)
    raise Unprocessable.at(
        str(fits.field),
        f"the answer would take about {question.seconds:,.0f} s of computing, and a request may "
        f"take {MAX_SECONDS:g} s; {fits.message}",
    )


def seconds_together(questions: Sequence[Question]) -> float:
    """Return the time for answering questions, where those for one version share runs."""
    seconds = 0.0
    most_by_itself: dict[Loaded, float] = {}
    for question in questions:
        added, version = question.added_seconds, question.version
        seconds += added
        most_by_itself[version] = max(most_by_itself.get(version, 0.0), question.seconds - added)
    return seconds + sum(most_by_itself.values())


def refuse_too_many(items: int, *, values: int, seconds: float) -> None:
    """Refuse a batch that takes too long, or whose answers are too large.

    Args:
        items: their number.
        values: in all answers.
        seconds: the time for answering them together.

    Raises:
        Unprocessable: it does; the error says how many items would fit.
    """
    if values > MAX_ANSWER_VALUES:
        raise _too_many(
            f"the answers would have {values:,} values (steps times intervals or alternatives), "
            f"and those of a request may have {MAX_ANSWER_VALUES:,}",
            fitting=items * MAX_ANSWER_VALUES / values,
        )
    if seconds > MAX_SECONDS:
        raise _too_many(
            f"the answers would take about {seconds:,.0f} s of computing, and a request may take "
            f"{MAX_SECONDS:g} s",
            fitting=items * MAX_SECONDS / seconds,
        )


def refuse_too_much_text(characters: int) -> None:
    """Refuse a batch whose texts are too long together.

    Raises:
        Unprocessable: they are.
    """
    if characters > MAX_BATCH_CHARACTERS:
        raise Unprocessable.at(
            "items",
            f"their texts have {characters:,} characters, and those of a batch may have "
            f"{MAX_BATCH_CHARACTERS:,}",
        )


def _too_many(why: str, *, fitting: float) -> Unprocessable:
    message = f"{why}; about {max(1, int(fitting)):,} of these items would fit"
    return Unprocessable(f"items: {message}", errors=(FieldError(field="items", message=message),))

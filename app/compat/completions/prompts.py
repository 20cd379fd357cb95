"""Turn prompts into requests of `POST /predict`."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.compat.completions.schemas import DEFAULT_TEMPERATURE, CompletionRequest
from app.errors import FieldError, InvalidRequest, StepaheadError
from app.http.problem_responses import wrong_places
from app.language.tokenizer import Tokenizer, UnknownTokens

# Fields of `POST /predict` by other names here.
NAMES = {"text": "prompt", "items": "prompt", "steps": "max_tokens", "top_k": "logprobs"}


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A text to continue."""

    text: str
    tokens: tuple[str, ...]  # empty if the version refuses the text


def prompts_of(asked: CompletionRequest, tokenizer: Tokenizer) -> list[Prompt]:
    """Return the prompts of a request.

    Raises:
        InvalidRequest: ids are not those of tokens, or of tokens that no text has.
    """
    given = asked.prompt
    if isinstance(given, str):
        return [_of_text(given, tokenizer)]
    if isinstance(given[0], int):
        return [_of_ids([each for each in given if isinstance(each, int)], tokenizer, "prompt")]
    return [
        _of_text(each, tokenizer)
        if isinstance(each, str)
        else _of_ids(_list_of(each), tokenizer, f"prompt.{place}")
        for place, each in enumerate(given)
    ]


def _list_of(given: object) -> list[int]:
    if not isinstance(given, list):
        raise TypeError(f"{given!r} is no list")
    return given


def _of_text(text: str, tokenizer: Tokenizer) -> Prompt:
    try:
        ids = tokenizer.encode(text).ids
    except UnknownTokens:  # which the prediction's own error names
        return Prompt(text=text, tokens=())
    return Prompt(text=text, tokens=tuple(tokenizer.vocabulary[number] for number in ids.tolist()))


def _of_ids(ids: Sequence[int], tokenizer: Tokenizer, field: str) -> Prompt:
    """Return the prompt of ids, which must be those of the text that they spell.

    The text is what the log keeps, so it has to be read as the same tokens again.
    """
    refuse_unknown_ids(ids, tokenizer, field)
    text = tokenizer.text(ids)
    try:
        again = tokenizer.encode(text).ids.tolist()
    except UnknownTokens:
        again = []
    if again != list(ids):
        raise wrong(field, f"no text has these tokens; they spell {text[:100]!r}")
    return Prompt(text=text, tokens=tuple(tokenizer.vocabulary[number] for number in ids))


def refuse_unknown_ids(ids: Sequence[int], tokenizer: Tokenizer, field: str) -> None:
    """Refuse ids that are none of the vocabulary.

    Raises:
        InvalidRequest: there is one.
    """
    unknown = next((number for number in ids if number >= len(tokenizer)), None)
    if unknown is not None:
        raise wrong(field, f"there is no token {unknown}; the vocabulary has {len(tokenizer)}")


def wrong(field: str, message: str) -> InvalidRequest:
    """Return the error for a field."""
    place = FieldError(field=field, message=message)
    return InvalidRequest(f"{field}: {message}", errors=(place,))


def item_of(asked: CompletionRequest, prompt: Prompt, tokenizer: Tokenizer) -> dict[str, object]:
    """Return the request of `POST /predict` for a prompt."""
    item: dict[str, object] = {
        "model": asked.model,
        "text": prompt.text,
        "steps": max(1, asked.tokens),
        "temperature": DEFAULT_TEMPERATURE if asked.temperature is None else asked.temperature,
        "top_k": max(1, min(asked.logprobs or 1, len(tokenizer))),
    }
    same = {
        "top_p": asked.top_p,
        "seed": asked.seed,
        "repetition_penalty": asked.repetition_penalty,
        "stop": asked.stops or None,
        "n": asked.n,
        "logprobs": True if asked.logprobs is not None else None,
        "echo": True if asked.echo and asked.logprobs is not None else None,
    }
    return item | {name: value for name, value in same.items() if value is not None}


def check(asked: CompletionRequest) -> None:
    """Check what only several fields together show.

    Raises:
        InvalidRequest: they contradict each other.
    """
    if asked.best_of is not None and asked.best_of != asked.count:
        raise wrong(
            "best_of",
            f"is {asked.best_of}, but only the value of n, {asked.count}, is "
            "accepted: every continuation is returned",
        )
    if not asked.tokens and not asked.echo:
        raise wrong("max_tokens", "is 0, which is for echo alone")
    if asked.stream and not asked.tokens:
        raise wrong("max_tokens", "is 0, but a stream consists of new tokens")
    if asked.stream and asked.echo and asked.logprobs is not None:
        raise wrong(
            "logprobs",
            "with echo is not for streams: the probabilities of the prompt "
            "come with the whole answer",
        )
    if asked.stream_options is not None and not asked.stream:
        raise wrong("stream_options", "is for streams; set stream to true")


def renamed(error: StepaheadError, place: int | None = None) -> StepaheadError:
    """Return an error of `POST /predict` in the words of a completion.

    Args:
        error: the error.
        place: of the prompt among several.
    """
    if not error.errors:
        return error
    fields = []
    for entry in error.errors:
        field = NAMES.get(entry.field or "", entry.field)
        if field == "prompt" and place is not None:
            field = f"prompt.{place}"
        fields.append(FieldError(field=field, message=entry.message))
    return wrong_places(tuple(fields))

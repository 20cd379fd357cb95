"""Define the JSON of a text's answer."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field


class TokenProbability(BaseModel):
    """A possible next token."""

    token: str
    probability: float
    logprob: float | None = Field(default=None, description="with `logprobs` alone")


class TextStep(BaseModel):
    """One token of a continuation."""

    step: int
    token: str
    probability: float
    logprob: float | None = Field(default=None, description="with `logprobs` alone")
    top: list[TokenProbability]


class TextContinuation(BaseModel):
    """One of several continuations."""

    predictions: list[TextStep]
    text: str = Field(description="the text, continued")
    finished: Literal["steps", "stop"] | None = Field(
        default=None, description="with `stop` alone: why it ended"
    )


class EchoedToken(BaseModel):
    """A token of the text that was sent."""

    token: str
    probability: float | None = Field(description="null where too little stands before it")
    logprob: float | None
    top: list[TokenProbability] = Field(description="what was most probable in its place")


class TextAnswer(BaseModel):
    """The answer of a text model."""

    id: UUID
    model: str
    version: int
    kind: Literal["text"]
    predictions: list[TextStep]
    text: str = Field(description="the text, continued")
    finished: Literal["steps", "stop"] | None = Field(
        default=None, description="with `stop` alone: why the continuation ended"
    )
    continuations: list[TextContinuation] | None = Field(
        default=None, description="with `n` alone: all of them; the first is the answer's own"
    )
    echo: list[EchoedToken] | None = Field(
        default=None, description="with `echo` alone: the tokens of the text"
    )
    skill: float | None = Field(
        description="1 - bits / bits of the best n-gram, as measured; the trigram's where no order "
        "was chosen"
    )
    warnings: list[str]

"""The tokenizer of a text model, for clients that score texts by their tokens (as with vLLM)."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from app.compat.asking import version_of
from app.compat.completions.prompts import refuse_unknown_ids
from app.compat.completions.schemas import OpenAIError, TokenIds
from app.errors import InvalidRequest
from app.http.openapi import error_responses
from app.language.tokenizer import Tokenizer, Unit, UnknownTokens
from app.predictions.schemas import MAX_TEXT_CHARACTERS

router = APIRouter(
    tags=["OpenAI completions"],
    responses={
        **error_responses(OpenAIError, 400, 403, 404, 413, 415),
        "default": {"description": "Any other error", "model": OpenAIError},
    },
)
ModelPath = Annotated[str, Path(description="`name`, `name@alias` or `name@3`", examples=["hello"])]


class TokenizerInfo(BaseModel):
    """What a tokenizer is like."""

    tokenizer_class: Annotated[Unit, Field(description="what a token is")]
    vocabulary_size: int
    unk_token: Annotated[str | None, Field(description="null: unknown tokens are errors")]
    bos_token: Annotated[None, Field(description="there is none")] = None
    eos_token: Annotated[None, Field(description="there is none")] = None
    pad_token: Annotated[None, Field(description="there is none")] = None


class TokenizeRequest(BaseModel):
    """A text to be read."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"example": {"prompt": "hello"}}
    )

    prompt: Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]
    add_special_tokens: Annotated[bool, Field(description="has no effect: there are none")] = False


class TokenizeAnswer(BaseModel):
    """The tokens of a text."""

    count: int
    tokens: list[int]
    token_strs: list[str]


class DetokenizeRequest(BaseModel):
    """Tokens to be written."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"example": {"tokens": [0, 1]}}
    )

    tokens: TokenIds


class DetokenizeAnswer(BaseModel):
    """The text of tokens."""

    prompt: str


@router.get(
    "/v1/models/{model}/tokenizer_info",
    summary="Describe the tokenizer of a text model",
    operation_id="openai_tokenizer",
)
async def tokenizer_info(request: Request, model: ModelPath) -> TokenizerInfo:
    """Its kind, its size, and its special tokens."""
    tokenizer = await tokenizer_of(request, model)
    return TokenizerInfo(
        tokenizer_class=tokenizer.unit,
        vocabulary_size=len(tokenizer),
        unk_token=tokenizer.unknown,
    )


@router.post(
    "/v1/models/{model}/tokenize",
    summary="Read a text as tokens",
    operation_id="openai_tokenize",
)
async def tokenize(
    request: Request, model: ModelPath, asked: Annotated[TokenizeRequest, Body()]
) -> TokenizeAnswer:
    """The ids that `POST /v1/completions` takes as a prompt."""
    tokenizer = await tokenizer_of(request, model)
    try:
        encoded = await asyncio.to_thread(tokenizer.encode, asked.prompt)
    except UnknownTokens as error:
        raise InvalidRequest(f"prompt: {error}") from error
    ids: list[int] = encoded.ids.tolist()
    written = [tokenizer.vocabulary[number] for number in ids]
    return TokenizeAnswer(count=len(ids), tokens=ids, token_strs=written)


@router.post(
    "/v1/models/{model}/detokenize",
    summary="Write tokens as a text",
    operation_id="openai_detokenize",
)
async def detokenize(
    request: Request, model: ModelPath, asked: Annotated[DetokenizeRequest, Body()]
) -> DetokenizeAnswer:
    """The text that the tokens spell."""
    tokenizer = await tokenizer_of(request, model)
    refuse_unknown_ids(asked.tokens, tokenizer, "tokens")
    return DetokenizeAnswer(prompt=tokenizer.text(asked.tokens))


async def tokenizer_of(request: Request, model: str) -> Tokenizer:
    """Return the tokenizer of a version.

    Raises:
        InvalidRequest: it forecasts series.
    """
    version = await version_of(request, model)
    if version.tokenizer is None:
        raise InvalidRequest(f"model: {version} forecasts series; completions continue texts")
    return version.tokenizer

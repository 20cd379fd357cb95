"""Check the texts that followed prompts, before they are stored."""

from sqlalchemy.orm import Session

from app.artifact.manifest import Manifest
from app.errors import NotFound, Unprocessable
from app.language.tokenizer import Tokenizer, UnknownTokens
from app.monitoring.texts.store import GivenText
from app.predictions.loaded import tokenizer_of
from app.registry.store import get_live_version
from app.storage.tables import Prediction


class FollowingTexts:
    """Checks the texts of one request; each version is looked up once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tokenizers: dict[tuple[str, int], Tokenizer | str] = {}

    def given(self, row: Prediction, text: str, field: str) -> GivenText:
        """Return a text that followed the prompt of a prediction.

        Args:
            row: the prediction.
            text: as it was sent.
            field: its place in the request.

        Raises:
            Unprocessable: the prediction is not of a text, or its version cannot read this one.
        """
        tokenizer = self._tokenizer_of(row)
        if isinstance(tokenizer, str):
            raise Unprocessable.at(field, tokenizer)
        if not row.request.get("live", True):
            raise Unprocessable.at(field, "belongs to a try-out (live: false): not measured")
        version = f"{row.model}@{row.version}"
        try:
            tokens = len(tokenizer.encode(text).ids)
        except UnknownTokens as error:
            token, place = error.unknown[0].token[:100], error.unknown[0].position + 1
            raise Unprocessable.at(
                field, f"token {place}, {token!r}, is not in the vocabulary of {version}"
            ) from error
        if not tokens:
            raise Unprocessable.at(field, f"has no token that {version} could have written")
        return GivenText(model=row.model, prediction_id=row.id, text=text)

    def _tokenizer_of(self, row: Prediction) -> Tokenizer | str:
        """Return the tokenizer of the version that answered, or why there is none."""
        if row.kind != "text":
            return "the prediction forecast a series: give a value instead"
        key = (row.model, row.version)
        if key not in self._tokenizers:
            self._tokenizers[key] = self._look_up(*key)
        return self._tokenizers[key]

    def _look_up(self, model: str, number: int) -> Tokenizer | str:
        try:
            version = get_live_version(self._session, model, number)
        except NotFound as error:
            return f"cannot be measured any more: {error.detail}"
        described = Manifest.model_validate(version.manifest).text
        if described is None:
            return f"{model}@{number} is no text version"
        return tokenizer_of(described, f"{model}@{number}")

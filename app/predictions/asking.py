"""Turn a request into a question for the kind of version that is to answer it."""

from app.predictions import series, text
from app.predictions.loaded import Loaded
from app.predictions.questions import Question
from app.predictions.schemas import PredictRequest
from app.predictions.universal import asking as universal


def question_of(version: Loaded, request: PredictRequest) -> Question:
    """Return what the request asks of this version.

    Raises:
        Unprocessable: a field does not fit the version; each is named.
    """
    if version.tokenizer is not None:
        return text.ask(version, request)
    described = version.manifest.series
    if described is not None and described.periods:
        return universal.ask(version, request)
    return series.ask(version, request)

"""Requests and answers of the calls on evaluations."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.artifact.scorecard import Scorecard
from app.assessments.evaluations.limits import MOST_ROWS, Network
from app.http.openapi import json_or_file
from app.reading.read_options import ReadOptions
from app.storage.tables import Evaluation

DATASET_EXAMPLE = {"dataset": "0197d6a0-4a8e-7c3f-9d55-0f6f0c1f7a11"}
NETWORK = (
    "judged: the network from before it was refitted on all rows; served: the one that answers; by "
    "default judged, if the version has it"
)


class EvaluationRequest(BaseModel):
    """The dataset to evaluate a version on."""

    model_config = ConfigDict(extra="forbid")

    dataset: Annotated[UUID, Field(description="a dataset that was uploaded before")]
    network: Annotated[Network | None, Field(description=NETWORK)] = None


class EvaluationSummary(BaseModel):
    """An evaluation in a list."""

    id: UUID
    model: str
    version: int
    dataset: UUID
    network: Annotated[Network, Field(description="the network that was measured")]
    judged_on: Annotated[
        Literal["test", "held-out", "training"],
        Field(
            description=(
                "test: another dataset; held-out: the part of its own that it was not "
                "fitted on; training: it was trained on all of it"
            )
        ),
    ]
    verdict: Annotated[str, Field(description="the scorecard in one sentence")]
    skill: Annotated[float | None, Field(description="1 - error/baseline's error")]
    rows: Annotated[int, Field(description="judged rows, or tokens")]
    created_at: datetime

    @classmethod
    def of(cls, evaluation: Evaluation) -> Self:
        """Build it from a row."""
        return cls(**_summary(evaluation, Scorecard.model_validate(evaluation.scorecard)))


class EvaluationAnswer(EvaluationSummary):
    """A version's scorecard on a dataset."""

    scorecard: Scorecard

    @classmethod
    def of(cls, evaluation: Evaluation) -> Self:
        """Build it from a row."""
        scorecard = Scorecard.model_validate(evaluation.scorecard)
        return cls(**_summary(evaluation, scorecard), scorecard=scorecard)


def _summary(evaluation: Evaluation, scorecard: Scorecard) -> dict[str, Any]:
    rows = 0 if scorecard.text is None else scorecard.text.tokens
    return {
        "id": evaluation.id,
        "model": evaluation.model,
        "version": evaluation.version,
        "dataset": evaluation.dataset_id,
        "network": evaluation.network,
        "judged_on": scorecard.judged_on,
        "verdict": scorecard.verdict,
        "skill": scorecard.skill,
        "rows": rows if scorecard.series is None else scorecard.series.rows,
        "created_at": evaluation.created_at,
    }


BODY = json_or_file(
    EvaluationRequest,
    example=DATASET_EXAMPLE,
    form={
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": f"a table of numbers over time, or a text; at most {MOST_ROWS:,} rows",
        },
        "dataset": {
            "type": "string",
            "format": "uuid",
            "description": "in place of file: a dataset that was uploaded before",
        },
        "read": ReadOptions.model_json_schema()
        | {"description": "how to read the file, if a guess is wrong"},
        "network": {"type": "string", "enum": ["judged", "served"], "description": NETWORK},
    },
    objects=["read"],
)

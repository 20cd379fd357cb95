"""What a manifest says of a series version beside its columns: scaling, anchor, intervals."""

from typing import Annotated, Literal

from pydantic import Field

from app.artifact.strict import Strict
from app.recipes.recipe import AnchorName


class MeasuredScaling(Strict):
    """A scaling measured on the training rows: (x - center) / scale."""

    center: Annotated[tuple[float, ...], Field(description="of the features, in their order")]
    scale: tuple[float, ...]
    target_center: float
    target_scale: float


class AnchorCandidate(Strict):
    """A simple forecast that the anchor was chosen from."""

    name: AnchorName
    error: Annotated[
        float | None, Field(description="RMSE over the origins; null: it was no candidate")
    ]
    missing: Annotated[str | None, Field(description="why it was no candidate")] = None


class SeriesAnchor(Strict):
    """The simple forecast that a version's network adds to."""

    name: AnchorName
    season: Annotated[int | None, Field(description="rows in it, where the anchor has one")] = None
    level: Annotated[
        bool, Field(description="autoregression: the last value itself counts, not changes alone")
    ] = False
    chosen: Annotated[bool, Field(description="on validation data; else the recipe named it")]
    origins: Annotated[int, Field(description="rows before the cut that it was chosen on")] = 0
    pooled: Annotated[
        bool, Field(description="errors are in units of each series' mean change from row to row")
    ] = False
    candidates: tuple[AnchorCandidate, ...] = ()


class SeriesIntervals(Strict):
    """How the intervals of a version were calibrated; the figures are in its graph."""

    method: Literal["split conformal"] = "split conformal"
    calibrated_on: Annotated[
        Literal["validation", "validation and held-out", "held-out", "last training rows"],
        Field(description="rows whose forecasts were compared with what came"),
    ]
    forecasts_of: Annotated[
        Literal["this network", "the network before refitting", "a network of its own"],
        Field(
            description="whose forecasts: it was not fitted on those rows; a network of its own: "
            "fitted on the earlier rows alone, where none were kept for validation"
        ),
    ]
    forecasts: Annotated[int, Field(description="how many, at the step with the fewest")]
    earlier: Annotated[
        int,
        Field(
            description="of these by its anchor alone, fitted on the first half of the training "
            "rows, for the second half: where the network adds nothing to the anchor"
        ),
    ] = 0
    steps: Annotated[int, Field(description="steps ahead that have intervals")]
    usual_change: Annotated[
        float | None,
        Field(description="mean change from row to row in the training rows; null: several series"),
    ]
    recent_changes: Annotated[
        int, Field(description="changes at the window's end that widths follow; 0: none")
    ]
    share: Annotated[
        float, Field(description="of the volatility that follows the window, the rest is the usual")
    ]
    volatility: Annotated[str, Field(description="what it is told by, in words")]
    signed_to: Annotated[
        int | None,
        Field(description="highest level whose ends are told apart; above: as far either way"),
    ]
    conformal_to: Annotated[
        int | None,
        Field(description="highest level that so many forecasts suffice for; above: Student's t"),
    ]
    notes: tuple[str, ...] = ()

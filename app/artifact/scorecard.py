"""Define scorecard.json: a version's measured quality beside the baselines."""

from typing import Annotated, Literal

from pydantic import Field

from app.artifact.strict import Strict


class Errors(Strict):
    """Errors of one forecaster over the judged rows, in the target's unit.

    If several series are pooled, rmse, mae and bias are in units of each series' own scale: its
    mean change from row to row in the training rows. A null figure is undefined or not measured.
    """

    rmse: float
    mae: float
    mase: Annotated[
        float | None, Field(description="mae in units of the mean change in the training rows")
    ] = None
    smape: Annotated[float | None, Field(description="percent, 0 to 200")] = None
    bias: Annotated[float | None, Field(description="above 0: forecasts are too high")] = None
    directional_accuracy: Annotated[
        float | None, Field(description="share of changes whose direction was forecast, 0 to 1")
    ] = None
    missing: Annotated[dict[str, str], Field(description="why a figure is null, by its name")] = {}


class Against(Strict):
    """A model compared with one baseline on the rows that both forecast."""

    rows: int
    skill: Annotated[float | None, Field(description="1 - error/baseline's error")]
    statistic: Annotated[
        float | None, Field(description="of the Diebold-Mariano test; below 0: the model is better")
    ] = None
    p_value: Annotated[float | None, Field(description="two-sided")] = None
    verdict: Annotated[
        Literal["better", "worse", "within noise", "not to be told"],
        Field(description="of the model; within noise: p-value of 0.05 or more"),
    ]
    missing: Annotated[str | None, Field(description="why a figure is null")] = None


class LevelScore(Strict):
    """Intervals of one level compared with the actual values."""

    level: Annotated[int, Field(description="the nominal coverage, in %")]
    rows: Annotated[int, Field(description="forecasts with an interval")]
    coverage: Annotated[
        float, Field(description="share of actual values inside the interval, 0 to 1")
    ]
    width: Annotated[float, Field(description="mean width, in the unit of rmse")]
    pinball: Annotated[
        float, Field(description="mean pinball loss of both ends, in the unit of rmse")
    ]


class Scores(Strict):
    """Errors of a model and its baselines over some of the judged rows."""

    rows: int
    model: Errors
    baselines: dict[str, Errors]
    against: dict[str, Against]
    intervals: Annotated[
        tuple[LevelScore, ...], Field(description="by level; empty: the network has no intervals")
    ] = ()


class StepScores(Scores):
    """One step of the horizon."""

    step: Annotated[int, Field(ge=1)]


class EachScores(Scores):
    """Scores of one series among several, in its own unit."""

    series: str
    season: Annotated[int | None, Field(description="rows in its season; null: none found")]
    scale: Annotated[
        float | None,
        Field(description="mean change from row to row in the training rows; null: none"),
    ]


class LagCheck(Strict):
    """Test whether the forecasts are closer to the previous value than to the actual one."""

    error: Annotated[float, Field(description="RMSE against the actual values")]
    error_to_previous: Annotated[
        float, Field(description="RMSE against the values one step before them")
    ]
    copies: Annotated[
        bool | None, Field(description="closer to the values before; null: undecided")
    ]


class CurvePoint(Strict):
    """One judged row."""

    series: Annotated[str | None, Field(description="its label, if there are several series")] = (
        None
    )
    time: str | None
    actual: float
    forecast: float
    persistence: float
    low: Annotated[float | None, Field(description="of the interval of `curve_level`")] = None
    high: float | None = None
    horizon_rmse: Annotated[
        float | None,
        Field(
            description=(
                "RMSE over all steps ahead of the forecast made before this row; null: the "
                "horizon is 1, or the rows end too early"
            )
        ),
    ] = None


class SeriesScore(Strict):
    """Quality of a series version.

    Errors are one step ahead. `all_steps` has those over the whole horizon, which decide.
    """

    rows: int
    start: str | None
    end: str | None
    model: Errors
    baselines: dict[str, Errors]
    against: Annotated[dict[str, Against], Field(description="comparison with each baseline")] = {}
    missing: Annotated[
        dict[str, str], Field(description="why a baseline could not be measured, by its name")
    ] = {}
    season: Annotated[
        int | None, Field(description="rows in the season found before the judged rows; null: none")
    ] = None
    lag_copy: LagCheck | None = None
    intervals: Annotated[
        tuple[LevelScore, ...], Field(description="by level; empty: the network has no intervals")
    ] = ()
    curve_level: Annotated[
        int | None, Field(description="level of the curve's intervals; null: no intervals")
    ] = None
    pooled: Annotated[
        bool, Field(description="several series: errors are in units of each series' scale")
    ] = False
    each: Annotated[
        tuple[EachScores, ...],
        Field(
            max_length=200, description="one entry per series if there are several; the first 200"
        ),
    ] = ()
    steps: Annotated[
        tuple[StepScores, ...],
        Field(
            max_length=48,
            description="one entry per step ahead, thinned evenly if there are more",
        ),
    ] = ()
    all_steps: Annotated[
        Scores | None, Field(description="over the whole horizon; null: the horizon is one step")
    ] = None
    curve: Annotated[
        tuple[CurvePoint, ...], Field(max_length=2000, description="the last 2,000 judged rows")
    ] = ()

    @property
    def over_horizon(self) -> Scores:
        """The scores that decide: over all steps ahead."""
        if self.all_steps is not None:
            return self.all_steps
        return Scores(
            rows=self.rows,
            model=self.model,
            baselines=self.baselines,
            against=self.against,
            intervals=self.intervals,
        )


class TextScore(Strict):
    """Quality of a text version."""

    tokens: Annotated[int, Field(description="contexts judged")]
    correct: Annotated[
        int, Field(description="contexts whose most probable token was the right one")
    ]
    bits_per_token: Annotated[
        float | None, Field(description="null: a judged token has probability 0, see skill_missing")
    ]
    baselines: Annotated[
        dict[str, float | None],
        Field(
            description="bits per token of unigram, bigram, trigram, an MLP and, if the version is "
            "anchored on it, the best n-gram"
        ),
    ]
    ngram_order: Annotated[
        int | None, Field(description="tokens in a gram of the best n-gram; null: none was chosen")
    ] = None
    correct_in_5: Annotated[
        int | None, Field(description="contexts whose right token was among the 5 most probable")
    ] = None
    accuracy: Annotated[float | None, Field(description="correct / tokens, 0 to 1")] = None
    accuracy_in_5: Annotated[float | None, Field(description="correct_in_5 / tokens")] = None
    perplexity: Annotated[
        float | None, Field(description="2 to the power of the bits per token; null if those are")
    ] = None
    bits_per_character: Annotated[
        float | None,
        Field(description="comparable across tokenizers; null if the bits per token are"),
    ] = None
    against: Annotated[dict[str, Against], Field(description="comparison with each baseline")] = {}
    missing: Annotated[
        dict[str, str], Field(description="why a baseline could not be measured, by its name")
    ] = {}
    curve: Annotated[
        tuple[float, ...],
        Field(
            max_length=2000,
            description="bits of each judged token; if there are more, means of equal runs",
        ),
    ] = ()

    def per_character(self, bits: float | None) -> float | None:
        """Return bits per token as bits per character, if the characters were counted."""
        if bits is None or self.bits_per_character is None or not self.bits_per_token:
            return bits
        return bits * self.bits_per_character / self.bits_per_token


class Epoch(Strict):
    """One epoch of the training curve."""

    epoch: int
    loss: float
    validation_loss: float | None = None
    gradient_norm: Annotated[
        float | None, Field(description="mean over the batches, before clipping; null: epoch 0")
    ] = None
    update_ratio: Annotated[
        float | None,
        Field(description="norm of the change of the weights in the epoch; null: epoch 0"),
    ] = None


class LayerMemory(Strict):
    """The gradient norm back through a layer's time steps."""

    norms: Annotated[
        tuple[float, ...],
        Field(
            description="of the gradient with respect to the layer's state, from the last step back"
        ),
    ]
    half_life: Annotated[
        int | None,
        Field(description="steps back after which the norm stays below half; null: never"),
    ]
    reached: Annotated[
        int, Field(description="number of last steps whose norm is at least 1 % of the last one's")
    ]


class Memory(Strict):
    """How far back the served network's memory reaches."""

    examples: Annotated[int, Field(description="windows of the judged rows that were measured")]
    steps: Annotated[int, Field(description="length of each window")]
    layers: tuple[LayerMemory, ...]  # from the input up


class Scorecard(Strict):
    """scorecard.json: measured quality beside the baselines."""

    format: Literal[1] = 1
    judged_on: Annotated[
        Literal["test", "held-out", "training"],
        Field(
            description=(
                "test: a separate dataset; held-out: the last part of the data; "
                "training: nothing was held out"
            )
        ),
    ]
    network: Annotated[
        Literal["served", "judged"],
        Field(
            description="served: the network that is served; judged: the network before refitting"
        ),
    ]
    verdict: Annotated[str, Field(description="one sentence in plain words")]
    skill: Annotated[
        float | None, Field(description="1 - error / baseline's error; null: see skill_missing")
    ]
    skill_missing: Annotated[str | None, Field(description="why skill is null")] = None
    notes: Annotated[
        tuple[str, ...], Field(description="remarks on the figures, in full sentences")
    ] = ()
    final_loss: Annotated[
        float, Field(description="training loss of the kept epoch, in scaled units")
    ]
    best_epoch: Annotated[
        int, Field(description="the epoch that was kept; 0: the untrained network")
    ]
    series: SeriesScore | None = None
    text: TextScore | None = None
    memory: Annotated[Memory | None, Field(description="null: not measured")] = None
    epochs: Annotated[
        tuple[Epoch, ...], Field(max_length=2000, description="thinned evenly if there are more")
    ] = ()

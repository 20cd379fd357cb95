"""How a model performs in use, from its daily figures."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.artifact.manifest import Feature, Manifest
from app.artifact.scorecard import Scorecard
from app.forecasting.drift import population_stability
from app.monitoring import store
from app.monitoring.aggregates import Coverage, ErrorSums, figures_of, total
from app.monitoring.logged_answers import Role
from app.monitoring.schemas import (
    CoverageFigure,
    DayFigures,
    DriftFigure,
    MonitorAnswer,
    ShadowComparison,
    StepFigures,
    VersionFigures,
)
from app.monitoring.shadow import SHADOW
from app.monitoring.store import Asked, Day
from app.monitoring.texts.store import ComparedTexts, compare_texts, texts_since
from app.monitoring.texts.sums import TextSums, text_figures, total_of_texts
from app.recipes.recipe import Kind
from app.registry.aliases import list_aliases
from app.registry.schemas import names_of
from app.registry.store import find_model
from app.storage.ids import first_id
from app.storage.tables import Version

# With fewer, the index is mostly chance: for N values from the training distribution its mean is
# about 9 / N.
LEAST_VALUES = 100
MINUTE = timedelta(minutes=1)
NO_INTERVALS = "texts have no intervals"
NO_COLUMNS = "texts have no columns"


@dataclass(frozen=True, kw_only=True)
class Daily:
    """A model's daily figures since a day."""

    asked: dict[Day, Asked]
    errors: dict[tuple[Day, int], ErrorSums]
    coverage: dict[tuple[Day, int], Coverage]
    shown: dict[tuple[Day, str], list[int]]
    texts: dict[Day, TextSums]

    def days(self) -> set[Day]:
        """Return every day and version that has a figure."""
        return {*self.asked, *self.texts, *(day for day, _ in self.errors)}


def read_daily(session: Session, model: str, since: date) -> Daily:
    """Read a model's daily figures since a day in UTC."""
    return Daily(
        asked=store.requests_since(session, model, since),
        errors=store.errors_since(session, model, since),
        coverage=store.coverage_since(session, model, since),
        shown=store.inputs_since(session, model, since),
        texts=texts_since(session, model, since),
    )


def monitor(session: Session, model: str, since: date) -> MonitorAnswer:
    """Return how a model performs in use since a day in UTC.

    Raises:
        NotFound: no such model.
    """
    kind: Kind = "text" if find_model(session, model).kind == "text" else "series"
    daily = read_daily(session, model, since)
    days = daily.days()
    aliases = list_aliases(session, [model])
    versions = {
        number: session.get_one(Version, (model, number))
        for number in {day.version for day in days}
    }
    features = {number: _features(version) for number, version in versions.items()}
    together = sorted({(day.version, day.role) for day in days}, reverse=True)
    shadow = next((each.version for each in aliases if each.alias == SHADOW), None)
    return MonitorAnswer(
        model=model,
        kind=kind,
        since=since,
        unread=store.count_unread(session, model),
        requests_per_minute=store.count_answered(session, model, datetime.now(UTC) - MINUTE),
        versions=[
            VersionFigures(
                **_figures(daily, own, features[version], kind),
                version=version,
                role=role,
                aliases=names_of(model, version, aliases),
                measured_skill=Scorecard.model_validate(versions[version].scorecard).skill,
                steps=_steps(daily, own),
            )
            for version, role in together
            if (own := [day for day in days if (day.version, day.role) == (version, role)])
        ],
        shadow=None if shadow is None else _comparison(session, model, shadow, since, kind),
        days=[
            DayFigures(
                **_figures(daily, [day], features[day.version], kind),
                version=day.version,
                role=day.role,
                day=day.day,
            )
            for day in sorted(days, key=lambda day: (day.day, day.version, day.role), reverse=True)
        ],
    )


def errors_of_version(daily: Daily, version: int, role: Role) -> ErrorSums:
    """Return the errors of a version over all days."""
    return total(
        sums
        for (day, _), sums in daily.errors.items()
        if (day.version, day.role) == (version, role)
    )


def texts_of_version(daily: Daily, version: int, role: Role) -> TextSums:
    """Return the sums over the texts of a version, of all days."""
    return total_of_texts(
        sums for day, sums in daily.texts.items() if (day.version, day.role) == (version, role)
    )


def coverage_of_version(daily: Daily, version: int, role: Role) -> dict[int, Coverage]:
    """Return the coverage of a version over all days, by level."""
    return _coverage(
        daily, [day for day, _ in daily.coverage if (day.version, day.role) == (version, role)]
    )


def _figures(
    daily: Daily, days: Sequence[Day], features: Sequence[Feature] | None, kind: Kind
) -> dict[str, Any]:
    own = set(days)
    asked = sum((daily.asked.get(day, Asked()) for day in own), start=Asked())
    errors = figures_of(total(sums for (day, _), sums in daily.errors.items() if day in own))
    if kind == "text":
        texts = asdict(
            text_figures(total_of_texts(sums for day, sums in daily.texts.items() if day in own))
        )
        return {
            **vars(asked),
            **asdict(errors),
            "forecasts": texts.pop("texts"),
            **texts,
            "coverage": None,
            "coverage_missing": NO_INTERVALS,
            "drift": None,
            "drift_missing": NO_COLUMNS,
        }
    coverage = _coverage(daily, own)
    coverage_missing = None if coverage else "no settled forecast had intervals"
    drift, drift_missing = _drift(daily, own, features)
    return {
        **vars(asked),
        **asdict(errors),
        "coverage": _shown_coverage(coverage) or None,
        "coverage_missing": coverage_missing,
        "drift": drift,
        "drift_missing": drift_missing,
    }


def _steps(daily: Daily, days: Sequence[Day]) -> list[StepFigures]:
    own = set(days)
    by_step: dict[int, ErrorSums] = {}
    for (day, step), sums in daily.errors.items():
        if day in own:
            by_step[step] = by_step.get(step, ErrorSums()) + sums
    return [
        StepFigures(step=step, **asdict(figures_of(sums))) for step, sums in sorted(by_step.items())
    ]


def _coverage(daily: Daily, days: Iterable[Day]) -> dict[int, Coverage]:
    own = set(days)
    levels: dict[int, Coverage] = {}
    for (day, level), one in daily.coverage.items():
        if day in own:
            levels[level] = levels.get(level, Coverage()) + one
    return {level: one for level, one in sorted(levels.items()) if one.forecasts}


def _shown_coverage(coverage: Mapping[int, Coverage]) -> list[CoverageFigure]:
    return [
        CoverageFigure(
            level=level, observed=100 * one.covered / one.forecasts, forecasts=one.forecasts
        )
        for level, one in coverage.items()
    ]


def _drift(
    daily: Daily, days: set[Day], features: Sequence[Feature] | None
) -> tuple[list[DriftFigure] | None, str | None]:
    if any(day.role == "shadow" for day in days):
        return None, "a shadow sees what the champion sees"
    if not features:
        return None, "the version's columns are not known"
    if all(feature.quantiles is None for feature in features):
        return None, "the version was trained before quantiles of training data were stored"
    return [_drift_of(daily, days, feature) for feature in features], None


def _drift_of(daily: Daily, days: set[Day], feature: Feature) -> DriftFigure:
    quantiles = feature.quantiles
    if quantiles is None:
        reason = "the quantiles of its training data were not stored"
        return DriftFigure(feature=feature.name, psi=None, missing=reason, values=0)
    counts = [0] * (len(quantiles) + 1)
    for (day, name), more in daily.shown.items():
        if day in days and name == feature.name:
            counts = [before + one for before, one in zip(counts, more, strict=True)]
    values = sum(counts)
    if values < LEAST_VALUES:
        reason = f"{values} values are too few; {LEAST_VALUES} are needed"
        return DriftFigure(feature=feature.name, psi=None, missing=reason, values=values)
    index = population_stability(counts, quantiles, highest=feature.high)
    return DriftFigure(feature=feature.name, psi=index, missing=None, values=values)


def _features(version: Version) -> Sequence[Feature] | None:
    series = Manifest.model_validate(version.manifest).series
    return None if series is None else series.features


def _comparison(
    session: Session, model: str, version: int, since: date, kind: Kind
) -> ShadowComparison:
    first = first_id(datetime(since.year, since.month, since.day, tzinfo=UTC))
    if kind == "text":
        return _texts_compared(compare_texts(session, model, version, first), version)
    both = store.compare_shadow(session, model, version, first)
    if not both.forecasts:
        return ShadowComparison(
            version=version, forecasts=0, rmse=None, served_rmse=None, skill=None
        )
    rmse = math.sqrt(both.shadow_squared / both.forecasts)
    served = math.sqrt(both.served_squared / both.forecasts)
    return ShadowComparison(
        version=version,
        forecasts=both.forecasts,
        rmse=rmse,
        served_rmse=served,
        skill=1 - rmse / served if served else None,
    )


def _texts_compared(both: ComparedTexts, version: int) -> ShadowComparison:
    bits = [
        nats / math.log(2) / both.characters if both.characters else None
        for nats in (both.shadow_nats, both.served_nats)
    ]
    return ShadowComparison(
        version=version,
        forecasts=both.texts,
        rmse=None,
        served_rmse=None,
        bits_per_character=bits[0],
        served_bits_per_character=bits[1],
        skill=1 - both.shadow_nats / both.served_nats if both.served_nats else None,
    )

"""The anchor of a phase, made of the fitted anchors of several series."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.artifact.series_records import SeriesAnchor
from app.forecasting.anchors import Anchor, Scale
from app.forecasting.columns.expected import Expected
from app.forecasting.linear_maps import LinearMap, homogeneous, mixed
from app.training.series.data import Floats
from app.training.series.fitted_anchor import PHASES, SHARE_OF_LEAST, FittedAnchor
from app.training.series.new_series import effects_in_shares, keeping_level, least_of
from app.training.task import Phase


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """The function of one series, or that of any other."""

    linear: LinearMap
    scale: Scale
    effects: Floats
    expected: Expected
    share: float  # of `universal`


def anchors_of_parts(
    record: SeriesAnchor, *, single: Sequence[FittedAnchor], averaged: Sequence[FittedAnchor]
) -> dict[Phase, Anchor]:
    """Return the anchor of every phase; see `_anchor`."""
    return {phase: _anchor(record, phase, single=single, averaged=averaged) for phase in PHASES}


def _anchor(
    record: SeriesAnchor,
    phase: Phase,
    *,
    single: Sequence[FittedAnchor],
    averaged: Sequence[FittedAnchor],
) -> Anchor:
    """Return the anchor of a phase.

    Args:
        record: has its name.
        phase: decides the rows that it is fitted on.
        single: series that have a function of their own.
        averaged: series whose average is for any other series; none if there is only one series.
    """
    parts = [_average(averaged, phase)] if averaged else []
    parts += [
        _Part(
            linear=each.maps[phase],
            scale=each.scale,
            effects=each.effects[phase],
            expected=each.expected[phase],
            share=each.share,
        )
        for each in single
    ]
    return Anchor.of_maps(
        [each.linear for each in parts],
        [each.scale for each in parts],
        name=record.name,
        season=record.season,
        effects=[each.effects for each in parts],
        expected=Expected(
            lags=parts[0].expected.lags,
            share=np.concatenate([each.expected.share for each in parts]),
            usual=np.concatenate([each.expected.usual for each in parts]),
        ),
        universal=[each.share for each in parts],
    )


def _average(fitted: Sequence[FittedAnchor], phase: Phase) -> _Part:
    """Return the anchor of a series that is none of these, in the scale of most of them."""
    in_log = [each for each in fitted if each.scale.log]
    plain = [each for each in fitted if not each.scale.log]
    most = in_log if len(in_log) > len(plain) else plain
    average = mixed([each.shared[phase] for each in most], [1 / len(most)] * len(most))
    effects = np.mean([each.effects[phase] for each in most], axis=0)
    expected = Expected(
        lags=most[0].expected[phase].lags,
        share=np.mean([each.expected[phase].share for each in most], axis=0),
        usual=np.mean([each.expected[phase].usual for each in most], axis=0),
    )
    share = float(np.mean([each.share for each in fitted]))
    if (shares := effects_in_shares(most, phase)) is not None and most is plain:
        floor = min(least_of(each.group) for each in most) * SHARE_OF_LEAST
        return _Part(
            linear=keeping_level(average.weights),
            scale=Scale(log=True, floor=floor),
            effects=shares,
            expected=expected,
            share=share,
        )
    if most is plain:  # what each adds by itself is in its own unit
        return _Part(
            linear=homogeneous(average.weights),
            scale=Scale(),
            effects=np.zeros_like(effects),
            expected=expected,
            share=share,
        )
    scale = Scale(log=True, floor=min(each.scale.floor for each in in_log))
    return _Part(linear=average, scale=scale, effects=effects, expected=expected, share=share)

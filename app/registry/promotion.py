"""Whether an alias may move to a version, and whether a new version becomes champion."""

import math
from dataclasses import dataclass, field
from typing import Any

from app.artifact.manifest import Manifest, SeriesInput, TextInput
from app.artifact.scorecard import Scorecard
from app.judging.horizon import horizon_of, rmse_over
from app.registry.lead import judged_rows, lead_of, measure_of, same_rows

MIN_COMMON_ROWS = 30


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A version and what the comparison needs of it."""

    number: int
    manifest: Manifest
    scorecard: Scorecard


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether a new version became champion, and why, in one sentence."""

    promoted: bool
    reason: str
    comparison: dict[str, Any] | None = field(default=None)  # the figures, if there are any

    def as_dict(self) -> dict[str, Any]:
        """Return the version's `decision`."""
        return {"promoted": self.promoted, "reason": self.reason, "comparison": self.comparison}


def incompatibilities(served: Manifest, new: Manifest) -> tuple[str, ...]:
    """List the reasons why `new` may fail requests that `served` answers.

    Returns:
        One clause each, such as "it needs at least 60 past steps; until now 3 were enough". Empty
        if compatible.
    """
    found = []
    if new.kind != served.kind:
        return (f"it is of kind {new.kind}, not {served.kind}",)
    if new.min_history > served.min_history:
        found.append(
            f"it needs at least {new.min_history} past steps; until now {served.min_history} were "
            "enough"
        )
    if served.series is not None and new.series is not None:
        found += _series_incompatibilities(served, served.series, new, new.series)
    if served.text is not None and new.text is not None:
        found += _text_incompatibilities(served.text, new.text)
    return tuple(found)


def decide(*, champion: Contender | None, challenger: Contender) -> Decision:
    """Decide whether a newly registered version becomes champion.

    Both judged networks must have been measured on the same rows, at least 30 of them, and fitted
    on none of these. The lead must be more than noise (`app.registry.lead`). This is known only if
    both scorecards come from the same datasets and the same rows of them, and neither version was
    warm-started.
    """
    if champion is None:
        return Decision(
            promoted=True, reason=f"the first version of its model: {challenger.scorecard.verdict}"
        )
    name = f"champion {champion.number}"
    obstacle = (
        next(iter(incompatibilities(champion.manifest, challenger.manifest)), None)
        or _may_have_seen(champion)
        or _may_have_seen(challenger)
        or _judged_apart(champion, challenger)
        or _too_few(challenger.scorecard)
    )
    if obstacle is not None:
        return Decision(promoted=False, reason=f"waits beside {name}: {obstacle}")
    return _compared(champion, challenger)


def _compared(champion: Contender, challenger: Contender) -> Decision:
    steps = _common_steps(champion.scorecard, challenger.scorecard)
    measure, rows = measure_of(challenger.scorecard), judged_rows(challenger.scorecard)
    if steps > 1:
        measure += f" over {steps} steps"
    old, new = _error(champion.scorecard, steps), _error(challenger.scorecard, steps)
    if old is None or new is None:
        return Decision(
            promoted=False,
            reason=f"waits beside champion {champion.number}: {measure} is undefined for "
            + ("both" if old is new else "the champion" if old is None else "it"),
        )
    comparison: dict[str, Any] = {
        "measure": measure,
        "rows": rows,
        "champion": {"version": champion.number, "error": old},
        "challenger": {"version": challenger.number, "error": new},
    }
    figures = f"{measure} {new:.6g} against {old:.6g} on the same {rows} rows"
    if new >= old:
        reason = f"waits: it does not beat champion {champion.number}: {figures}"
        return Decision(promoted=False, reason=reason, comparison=comparison)
    lead = lead_of(
        challenger.scorecard, champion.scorecard, gain=1 - new / old, rows=rows, steps=steps
    )
    comparison["test"] = lead.test
    if lead.more_than_noise:
        reason = f"beats champion {champion.number}: {figures}, more than noise ({lead.words})"
    else:
        reason = (
            f"waits: its lead over champion {champion.number} is within noise ({lead.words}): "
            f"{figures}"
        )
    return Decision(promoted=lead.more_than_noise, reason=reason, comparison=comparison)


def _series_incompatibilities(
    served: Manifest, old: SeriesInput, new: Manifest, changed: SeriesInput
) -> list[str]:
    found = []
    names_before = [feature.name for feature in old.features]
    names_now = [feature.name for feature in changed.features]
    if sorted(names_now) != sorted(names_before):
        found.append(f"its inputs are {_listed(names_now)}; until now {_listed(names_before)}")
    if changed.target != old.target:
        found.append(f"it forecasts {changed.target!r}; until now {old.target!r}")
    # With one input, a longer horizon is fed back step by step. With several, that is a 422.
    if len(names_now) > 1 and new.horizon < served.horizon:
        found.append(f"it forecasts {new.horizon} steps; until now {served.horizon}")
    return found


def _text_incompatibilities(old: TextInput, changed: TextInput) -> list[str]:
    found = []
    if changed.tokenizer != old.tokenizer:
        found.append(f"it is tokenized by {changed.tokenizer}; until now by {old.tokenizer}")
    elif changed.unknown is None:
        if old.unknown is not None:
            found.append("it refuses unknown tokens, which were only a warning until now")
        elif lost := sorted(set(old.vocabulary) - set(changed.vocabulary)):
            found.append(f"it does not know {_listed(lost[:5])}, known until now")
    return found


def _may_have_seen(contender: Contender) -> str | None:
    """Return why a version's error may be about rows that it was fitted on."""
    if contender.scorecard.judged_on == "training":
        return f"version {contender.number} was measured on rows it was fitted on"
    if contender.manifest.start_from is not None:
        return (
            f"version {contender.number} was started from {contender.manifest.start_from}, "
            "which may have been fitted on the judged rows"
        )
    return None


def _judged_apart(champion: Contender, challenger: Contender) -> str | None:
    """Return why the two errors may not be about the same rows."""
    if challenger.scorecard.judged_on != champion.scorecard.judged_on:
        return "one was judged on a test set, the other on the last part of its dataset"
    old, new = champion.manifest, challenger.manifest
    if new.dataset_id is None or new.dataset_id != old.dataset_id:
        return "the two were trained on different datasets, so their errors cannot be compared"
    if new.test_dataset_id != old.test_dataset_id:
        return "the two were judged on different test sets, so their errors cannot be compared"
    if not same_rows(champion, challenger):
        return "the two were judged on different rows, so their errors cannot be compared"
    return None


def _too_few(scorecard: Scorecard) -> str | None:
    rows = judged_rows(scorecard)
    if rows >= MIN_COMMON_ROWS:
        return None
    return (
        f"{rows} judged rows are too few to tell them apart; at least {MIN_COMMON_ROWS} are needed"
    )


def _common_steps(champion: Scorecard, challenger: Scorecard) -> int:
    """Return how many steps ahead both forecast."""
    if champion.series is None or challenger.series is None:
        return 1
    return min(horizon_of(champion.series), horizon_of(challenger.series))


def _error(scorecard: Scorecard, steps: int) -> float | None:
    """Return the error that decides, smaller is better, or None if it is undefined."""
    error = None
    if scorecard.series is not None:
        error = rmse_over(scorecard.series, steps)
    elif scorecard.text is not None:
        error = scorecard.text.bits_per_token
    return error if error is not None and math.isfinite(error) else None


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)

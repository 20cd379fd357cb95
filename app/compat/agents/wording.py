"""Put answers of the API into words in which no number stands without its worth."""

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN_STEPS = 50
SHOWN_CHARACTERS = 2000
NOT_MEASURED = "not measured, so do not present these numbers as reliable"

Json = Mapping[str, Any]


def worth_of(answer: Json, verdict: str) -> list[str]:
    """Return how good the version of an answer is, and what weakens the answer."""
    skill = answer["skill"]
    if skill is None:
        measured = NOT_MEASURED
    else:
        side = "better" if skill > 0 else "not better"
        measured = f"{skill:.2f}, {side} than {answer.get('baseline') or 'the best n-gram'}"
    lines = [f"{answer['model']}@{answer['version']}: {verdict}", f"Skill: {measured}."]
    return lines + warnings_of(answer)


def warnings_of(answer: Json) -> list[str]:
    """Return the warnings of an answer, one line each."""
    return [f"Warning: {warning}" for warning in answer["warnings"]]


def forecast_in_words(answer: Json, verdict: str) -> str:
    """Return a forecast, its worth first."""
    steps: Sequence[Json] = answer["predictions"]
    lines = [_step(step) for step in steps[:SHOWN_STEPS]]
    if len(steps) > SHOWN_STEPS:
        lines.append(f"… and {len(steps) - SHOWN_STEPS} more steps in the structured content")
    return "\n".join([*worth_of(answer, verdict), "Forecast:", *lines, _logged(answer)])


def _step(step: Json) -> str:
    when = f" ({step['timestamp']})" if step["timestamp"] else ""
    intervals = "".join(
        f", {each['level']} % between {each['low']:g} and {each['high']:g}"
        for each in step["intervals"] or ()
    )
    return f"step {step['step']}{when}: {step['value']:g}{intervals}"


def text_in_words(answer: Json, verdict: str) -> str:
    """Return a continuation, its worth first."""
    return "\n".join([*worth_of(answer, verdict), "Text:", answer["text"], _logged(answer)])


def _logged(answer: Json) -> str:
    return f"Logged as prediction {answer['id']}."


def models_in_words(models: Sequence[Json]) -> str:
    """Return models with their verdicts, a line each."""
    return "\n".join(_model(model) for model in models) or "There are no models."


def _model(model: Json) -> str:
    champion = model["champion"]
    if champion is None:
        return f"{model['name']} ({model['kind']}): has no champion"
    return f"{model['name']}@{champion['version']} ({model['kind']}): {champion['verdict']}"


def scorecard_in_words(version: Json) -> str:
    """Return what was measured of a version."""
    card = version["scorecard"]
    skill = card["skill"]
    lines = [
        f"{version['model']}@{version['version']}: {card['verdict']}",
        f"Judged on: {card['judged_on']}.",
        f"Skill: {card['skill_missing'] if skill is None else f'{skill:.2f}'}.",
        *card["notes"],
    ]
    figures = card["series"] or card["text"]
    if card["series"] is not None:
        lines.append(f"RMSE of the next step: {figures['model']['rmse']:.4g}; of simple forecasts:")
        errors = sorted(figures["baselines"].items(), key=lambda each: each[1]["rmse"])
        lines += [f"- {name}: {error['rmse']:.4g}" for name, error in errors]
    elif figures is not None:
        lines.append(f"Bits per token: {_bits(figures['bits_per_token'])}; of simple models:")
        lines += [f"- {name}: {_bits(bits)}" for name, bits in figures["baselines"].items()]
    return "\n".join(lines)


def _bits(bits: float | None) -> str:
    return "not finite" if bits is None else f"{bits:.4g}"


def dataset_in_words(dataset: Json) -> str:
    """Return how an uploaded file was understood."""
    report = dataset["report"]
    lines = [f"Dataset {dataset['id']} ({dataset['kind']})."]
    if dataset["kind"] == "series":
        every = f", every {dataset['frequency']}" if dataset["frequency"] else ""
        lines += [
            f"{dataset['rows_used']} rows used, {dataset['start']} to {dataset['end']}{every}.",
            f"Suggested target: {dataset['target']}.",
        ]
    return "\n".join([*lines, *warnings_of(report)])


def job_in_words(job: Json, verdict: str | None) -> str:
    """Return how far a training is, and how good its version is."""
    lines = [f"Job {job['id']} for {job['model']}: {job['status']}."]
    progress = job["progress"]
    if job["status"] == "running" and progress["stage"]:
        epoch = progress["epoch"]
        so_far = "" if epoch is None else f", epoch {epoch} of {progress['epochs']}"
        rest = progress["eta_seconds"]
        left = "" if rest is None else f", about {rest:.0f} s left"
        lines.append(f"Stage: {progress['stage']}{so_far}{left}.")
    if job["note"]:
        lines.append(job["note"])
    if job["error"]:
        lines.append(f"Why: {job['error']['detail']}")
    if verdict is not None:
        lines.append(f"{job['model']}@{job['version']}: {verdict}")
    return "\n".join(lines)

// Predicts the next step of a series: history and forecast in one chart.

import { call } from "./api.js";
import { fill, h, say, table } from "./dom.js";
import { endsOf } from "./ends.js";
import { Field, showProblem } from "./fields.js";
import { figure as number, frequency } from "./format.js";
import { KnownAhead } from "./known.js";
import { NotUnderstood, columnsOf, readPasted } from "./pasted.js";
import { colour, draw, figure } from "./plot.js";
import { isNoise, skillBar } from "./skill.js";
import { snippets } from "./snippet.js";

const SHOWN = 120, MOST_STEPS = 1000;
const LEVELS = [80, 95];

export class SeriesTrial {
  constructor(version, reference, last) {
    this.version = version;
    this.reference = reference;
    const { series } = version.manifest;
    this.inputs = columnsOf(series);
    this.features = this.inputs.names;
    this.history = new Field({
      name: "history",
      label: series.periods > 0 ? "Past values of any series, oldest first" : this.features.length === 1 ? `Past values of ${series.target}, oldest first` : `Past rows of ${this.features.join(", ")}, oldest first`,
      hint: `A list, or columns of a spreadsheet, with or without dates. At least ${version.manifest.min_history}.`,
      input: h("textarea", { rows: 11, spellcheck: "false", value: this.example(last) }),
    });
    this.takesAny = series.periods > 0; // a version for any series
    const steps = this.takesAny ? "Empty: as far as the dates suggest, or 1 without dates." : `Trained for ${version.manifest.horizon}.`;
    this.horizon = new Field({ name: "horizon", label: "Steps ahead", hint: steps, input: h("input", { inputmode: "numeric", value: this.takesAny ? "" : String(version.manifest.horizon) }) });
    this.known = this.inputs.known.length ? new KnownAhead(this.inputs.known, version.manifest.horizon) : null;
    this.read = h("p", { class: "hint read", role: "status" });
    this.ends = h("div");
    this.label = null; // of the series, if it is known
    this.trouble = h("div");
    this.go = h("button", { class: "primary", type: "submit" }, "Forecast");
    this.answer = h("div", { class: "answer" }, h("div", { class: "card quiet" }, h("p", {}, "The forecast appears here, appended to the history.")));
    const form = h(
      "form",
      { class: "card", novalidate: true },
      this.ends,
      this.history.element,
      this.read,
      this.horizon.element,
      this.known?.element,
      this.trouble,
      h("div", { class: "acts" }, this.go),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask();
    });
    this.horizon.input.addEventListener("input", () => {
      const steps = Number(this.horizon.input.value);
      if (this.known && Number.isInteger(steps) && steps >= 1 && steps <= MOST_STEPS) this.known.show(steps);
    });
    this.history.input.addEventListener("input", () => {
      this.label = null; // typed values belong to no known series
      this.look();
    });
    this.element = h("div", { class: "side" }, form, this.answer);
    // Opening the page requests nothing, because every answer is logged.
    this.showHistory();
    this.offerEnds().catch((error) => showProblem(this.trouble, error));
  }

  async offerEnds() {
    const offered = await endsOf(this.version, {
      into: this.history.input,
      failed: (error) => showProblem(this.trouble, error),
      taken: (label, future) => {
        this.label = label;
        this.known?.take(future);
        this.showHistory();
      },
    });
    if (offered) fill(this.ends, offered);
  }

  // The held-out rows, so that the forecast continues where the data ended.
  example(last) {
    const { manifest, scorecard } = this.version;
    const curve = scorecard.series?.curve ?? [];
    if (this.features.length === 1 && curve.length >= manifest.min_history) {
      const [label] = [curve.at(-1).series];
      const own = curve.filter((each) => each.series === label).slice(-Math.max(60, manifest.min_history));
      if (own.length >= manifest.min_history) return own.map((each) => (each.time ? `${each.time} ${each.actual}` : String(each.actual))).join("\n");
    }
    return Array.isArray(last?.history) && this.features.length === 1 ? last.history.join("\n") : "";
  }

  look() {
    this.history.clear();
    if (!this.history.input.value.trim()) {
      this.read.textContent = "";
      return null;
    }
    try {
      const read = readPasted(this.history.input.value, this.features, this.inputs.words);
      const times = read.timestamps ? `, ${read.timestamps[0]} to ${read.timestamps.at(-1)}` : "";
      this.read.textContent = `${read.rows} ${read.rows === 1 ? "row" : "rows"} understood${times}${read.order ? `, read as ${read.order}` : ""}.`;
      return read;
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error;
      this.read.textContent = error.message;
      return null;
    }
  }

  showHistory() {
    const read = this.look();
    if (!read) return;
    const picture = figure({ caption: "The history, to which the forecast will be appended", label: `Line chart of ${read.rows} past values` });
    fill(this.answer, h("div", { class: "card" }, picture.whole));
    this.drawAnswer(picture.element, read, { predictions: [] });
  }

  async ask() {
    let read;
    try {
      read = readPasted(this.history.input.value, this.features, this.inputs.words);
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error;
      this.answer.classList.add("stale");
      this.history.showError(error.message);
      this.history.input.focus();
      return;
    }
    const steps = this.horizon.input.value.trim();
    const question = { model: this.reference, history: read.history };
    if (read.timestamps) question.timestamps = read.timestamps;
    if (this.label) question.series = this.label;
    if (this.known) question.future = this.known.value();
    if (this.version.manifest.series.intervals) question.levels = LEVELS;
    if (steps && (this.takesAny || steps !== String(this.version.manifest.horizon))) question.horizon = Number.isFinite(Number(steps)) ? Number(steps) : steps;
    const fields = [this.history, this.horizon, this.known].filter(Boolean);
    showProblem(this.trouble, null, fields);
    this.go.disabled = true; // each press would be answered and logged
    try {
      await this.show(question, await call("POST", "/predict", { json: { ...question, live: false } }));
      this.answer.classList.remove("stale");
      const { top } = this.answer.getBoundingClientRect();
      if (top < 0 || top > innerHeight / 2) this.answer.scrollIntoView(); // below the form on a phone
    } catch (error) {
      showProblem(this.trouble, error, fields);
      this.answer.classList.add("stale"); // it answers another question
    }
    this.go.disabled = false;
  }

  async show(question, answer) {
    const target = this.version.manifest.series.target;
    const [first] = answer.predictions;
    const widest = answer.predictions.length === 1 ? null : answer.predictions.at(-1);
    const picture = figure({ caption: "The history and what comes next", label: `Line chart; the next value is ${number(first.value, 6)}` });
    const snippet = await snippets("/predict", question);
    const stepsOpen = this.answer.querySelector("details.steps")?.open ?? false; // in the answer before
    fill(
      this.answer,
      h(
        "div",
        { class: "card" },
        h("p", { class: "quiet" }, `${target}, ${first.timestamp ?? "the next step"}${this.version.manifest.series.frequency && !first.timestamp ? ` (${frequency(this.version.manifest.series.frequency)})` : ""}`),
        h("p", { class: "big" }, number(first.value, 6)),
        !first.intervals && h("p", { class: "hint" }, this.version.manifest.series.intervals_missing ? `No intervals: ${this.version.manifest.series.intervals_missing}.` : "This version has no intervals."),
        first.intervals && h("p", { class: "quiet" }, first.intervals.map((each) => `${each.level} %: ${number(each.low, 5)} to ${number(each.high, 5)}`).join("; ")),
        first.intervals?.some((each) => first.value < each.low || first.value > each.high) && h("p", { class: "hint" }, `Forecasts of this version were often too ${first.value < first.intervals[0].low ? "low" : "high"} on rows that it was not trained on, so the interval lies to that side.`),
        answer.warnings.length > 0 && h("div", { class: "warning" }, h("ul", {}, answer.warnings.map((each) => h("li", {}, each)))),
        picture.whole,
        widest && this.stepTable(answer, stepsOpen),
        h("h2", {}, "Reliability"),
        h("div", { class: "limit" }, skillBar(answer.skill, "series", { ends: true, noise: isNoise(this.version) })),
        h("p", { class: "hint" }, `${answer.model}, version ${answer.version}: ${this.version.scorecard.verdict}.`),
        h("p", { class: "hint" }, h("a", { href: `/ui/log?id=${answer.id}` }, "This answer in the log")),
        snippet,
      ),
    );
    this.drawAnswer(picture.element, question, answer);
    say(`Next: ${number(first.value, 6)}`);
  }

  stepTable(answer, open) {
    const levels = answer.predictions[0].intervals?.map((each) => each.level) ?? [];
    return h(
      "details",
      { class: "steps", open },
      h("summary", {}, "All steps"),
      table({
        caption: "Forecast by step",
        head: ["Step", "Time", { label: "Forecast", class: "num" }, ...levels.map((level) => ({ label: `${level} %`, class: "num" }))],
        rows: answer.predictions.map((each) => [each.step, each.timestamp ?? "–", number(each.value, 6), ...(each.intervals ?? []).map((band) => `${number(band.low, 5)} – ${number(band.high, 5)}`)]),
        scroll: true,
      }),
    );
  }

  drawAnswer(element, question, answer) {
    const target = this.version.manifest.series.target;
    const past = (Array.isArray(question.history) ? question.history : question.history[target]).slice(-SHOWN);
    const times = question.timestamps?.length && answer.predictions.every((each) => each.timestamp) ? question.timestamps.slice(-SHOWN) : null;
    const before = times ?? past.map((_, index) => index - past.length + 1);
    const after = answer.predictions.map((each) => (times ? each.timestamp : each.step));
    const x = [before.at(-1), ...after];
    const from = past.at(-1);
    draw(
      element,
      () => {
        const bands = (answer.predictions[0]?.intervals ?? []).toReversed().flatMap((interval, index) => {
          const bound = (key) => [from, ...answer.predictions.map((each) => each.intervals?.[answer.predictions[0].intervals.length - 1 - index]?.[key] ?? null)];
          const shared = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false };
          return [
            { ...shared, y: bound("low") },
            { ...shared, y: bound("high"), fill: "tonexty", fillcolor: colour(index ? "band-inner" : "band"), showlegend: true, name: `${interval.level} %` },
          ];
        });
        return [
          ...bands,
          { name: "history", x: before, y: past, mode: "lines", line: { color: colour("actual"), width: 2 } },
          answer.predictions.length && { name: "forecast", x, y: [from, ...answer.predictions.map((each) => each.value)], mode: "lines+markers", line: { color: colour("forecast"), width: 2.5 }, marker: { size: answer.predictions.length > 30 ? 3 : 8 } },
        ].filter(Boolean);
      },
      () => ({ yaxis: { exponentformat: "none" }, showlegend: answer.predictions.length > 0 }),
    );
  }
}

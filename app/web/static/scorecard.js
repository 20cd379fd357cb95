// A version's errors beside those of its baselines, and the chapter's chart with correct alignment.

import { facts, h, put, table, withCode } from "./dom.js";
import { capital, count, figure as number, percent, signed } from "./format.js";
import { colour, draw, figure } from "./plot.js";
import { BASELINE, isNoise, skillBar } from "./skill.js";

const BASELINES = {
  persistence: "Repeating the last value", drift: "Continuing the average change (drift)", seasonal_naive: "The value one season ago",
  seasonal: "The value one season ago", autoregression: "Linear autoregression", linear_autoregression: "Linear autoregression", mlp: "The chapter’s MLP",
  universal: "universal, without training",
  unigram: "Word frequencies (unigram)", bigram: "Frequencies of pairs (bigram)", trigram: "Frequencies of triples (trigram)",
  ngram: "The best n-gram",
};
const LAST = 120;

export const baselineName = (key) => BASELINES[key] ?? key.replaceAll("_", " ");

const JUDGED = {
  test: "on a test set",
  "held-out": "on the last part of the data, which it was not trained on",
  training: "on the data it was trained on, because nothing was held out",
};

export function scorecardSummary(version) {
  const { scorecard } = version;
  return h(
    "div",
    { class: "card" },
    sentence(scorecard.verdict),
    h("div", { class: "limit" }, skillOf(version)),
    scorecard.skill === null && scorecard.skill_missing && h("p", { class: "hint" }, scorecard.skill_missing),
    scorecardFigures(version),
  );
}

export const scorecardFigures = (version) => [
  scorecardTable(version),
  h("p", { class: "hint" }, judgedHow(version)),
  version.scorecard.notes.length > 0 && h("ul", { class: "small" }, version.scorecard.notes.map((note) => h("li", {}, note))),
];

// The verdict; what was found in bold, the figures after it.
export function sentence(verdict, before = null) {
  const [, found, figures] = /^([^:]*:?)(.*)$/s.exec(`${capital(verdict)}.`);
  return h("p", { class: "sentence" }, before, h("strong", {}, withCode(found)), withCode(figures));
}

// What came of a training, in a sentence or two.
export function outcome({ manifest, scorecard, lineage }) {
  const { cell, anchor } = manifest.recipe;
  const repeats = scorecard.best_epoch === 0 && anchor && anchor !== "none" && !lineage.start_from;
  return sentence(scorecard.verdict, repeats && `The ${cell.toUpperCase()} found no gain over the simple forecasts that stands out from noise, so this version repeats them. `);
}

// Why a version was promoted or waits, without the verdict, which stands beside it.
export const reasonOf = (decision, verdict) => decision.reason.replace(`: ${verdict}`, "");

export function judgedHow({ scorecard }) {
  const network = scorecard.network === "judged" ? " The figures are those of the network before it was refitted on all rows." : "";
  return `Judged ${JUDGED[scorecard.judged_on]}.${network}`;
}

export function scorecardTable(version) {
  const { series, text, judged_on: on } = version.scorecard;
  const shown = on === "training" ? withoutResults : (scores) => scores;
  if (series) return seriesTable(shown(series), version);
  return text ? textTable(shown(text)) : null;
}

// Nothing was held out, so no baseline was beaten.
const withoutResults = (scores) => scores && { ...scores, against: {}, all_steps: withoutResults(scores.all_steps), steps: scores.steps?.map(withoutResults), each: scores.each?.map(withoutResults) };

const METRICS = [
  ["rmse", "RMSE"], ["mae", "MAE"], ["mase", "MASE"], ["smape", "sMAPE, %"], ["bias", "Bias"], ["directional_accuracy", "Direction correct"],
];
const ORDER = ["persistence", "drift", "seasonal_naive", "linear_autoregression", "mlp", "universal", "unigram", "bigram", "trigram", "ngram"];

const ordered = (baselines) => Object.entries(baselines).sort(([a], [b]) => ORDER.indexOf(a) - ORDER.indexOf(b));

const metric = (key, value) => (key === "directional_accuracy" && typeof value === "number" ? percent(value, 0) : number(value));

// Errors over all steps ahead, which the verdict is about; with a horizon of 1, of that step.
export const overHorizon = (series) => series.all_steps ?? series;

export const horizonOf = (series) => (series.steps?.length ? series.steps.at(-1).step : 1);

function seriesTable(series, version) {
  const unit = series.pooled ? "in units of each series’ mean change from row to row" : `in the unit of ${version.manifest.series?.target ?? "the target"}`;
  const rows = `${count(series.rows)} judged rows${series.start ? `, ${series.start} to ${series.end}` : ""}`;
  const horizon = horizonOf(series);
  const whole = overHorizon(series);
  const over = horizon > 1 ? `all ${count(horizon)} steps ahead, from ${rows}` : rows;
  const intervals = whole.intervals ?? [];
  return [
    h("p", { class: "quiet small" }, `Over ${over}; RMSE, MAE and bias ${unit}.`),
    scoresTable(whole, `Errors over ${over}, ${unit}`),
    ...Object.entries(series.missing ?? {}).map(([key, reason]) => h("p", { class: "hint" }, `${baselineName(key)}: ${reason}.`)),
    horizon > 1 && stepPicture(series, unit),
    horizon > 1 && h("details", {}, h("summary", {}, "The first step only"), scoresTable(series, `Errors one step ahead, ${unit}`)),
    intervals.length > 0 && intervalsTable(intervals, unit),
    (series.steps ?? []).length > 1 && parts("By step ahead", series.steps, (each) => String(each.step)),
    (series.each ?? []).length > 1 && parts("By series", series.each, (each) => each.series),
  ];
}

// Coverage of the intervals, which should be near their level, not just above it.
function intervalsTable(intervals, unit) {
  return table({
    caption: `Intervals over ${count(intervals[0].rows)} forecasts, widths ${unit}`,
    head: ["Interval", { label: "Coverage", class: "num" }, { label: "Mean width", class: "num" }, { label: "Pinball loss", class: "num" }],
    rows: intervals.map((each) => [`${each.level} %`, percent(each.coverage), number(each.width), number(each.pinball)]),
  });
}

function scoresTable(scores, caption) {
  const metrics = METRICS.filter(([key]) => typeof scores.model[key] === "number");
  const row = (name, errors) => [name, ...metrics.map(([key]) => metric(key, errors[key]))];
  return table({
    caption,
    stacked: true,
    head: ["Forecaster", ...metrics.map(([, label]) => ({ label, class: "num" })), { label: "Skill against it", class: "num" }, "Result"],
    rows: [
      { self: true, cells: [...row("This version", scores.model), "", ""] },
      ...ordered(scores.baselines).map(([key, errors]) => ({ cells: [...row(baselineName(key), errors), ...verdictOf(scores.against?.[key], errors, scores.model)] })),
    ],
  });
}

// Against one baseline: the skill, and whether it is more than noise (Diebold–Mariano).
function verdictOf(against, errors, model) {
  if (!against) return [errors?.rmse ? signed(1 - model.rmse / errors.rmse) : "", ""];
  const kind = { better: "good", worse: "bad" }[against.verdict] ?? "";
  const sure = against.p_value === null || against.p_value === undefined ? (against.missing ?? "") : `p ${against.p_value < 0.001 ? "< 0.001" : `= ${number(against.p_value, 2)}`}`;
  return [against.skill === null ? "–" : signed(against.skill), [h("span", { class: `badge ${kind}` }, against.verdict), " ", h("span", { class: "quiet small" }, sure)]];
}

// RMSE by step ahead: this version, persistence, and the best of the other simple forecasts.
export function stepPicture(series, unit) {
  const { baselines } = overHorizon(series);
  const best = Object.keys(baselines).sort((a, b) => baselines[a].rmse - baselines[b].rmse)[0];
  const simple = [...new Set([best, "persistence"])].filter((key) => baselines[key]);
  const picture = figure({ caption: `RMSE by step ahead, ${unit}`, label: "Line chart of the error by step ahead", size: "low" });
  draw(
    picture.element,
    () => {
      const x = series.steps.map((each) => each.step);
      const line = (name, errors, style) => ({ name, x, y: series.steps.map((each) => errors(each)?.rmse ?? null), mode: "lines+markers", line: style });
      const tones = { persistence: { color: colour("persistence"), width: 1.5, dash: "dot" } };
      const other = { color: colour("actual"), width: 1.5 };
      return [
        ...simple.map((key) => line(baselineName(key), (each) => each.baselines[key], tones[key] ?? other)),
        line("this version", (each) => each.model, { color: colour("forecast"), width: 2.4 }),
      ];
    },
    () => ({ xaxis: { title: { text: "steps ahead" } }, yaxis: { rangemode: "tozero", exponentformat: "none" }, showlegend: true }),
  );
  return picture.whole;
}

function parts(title, list, name) {
  const head = [title === "By series" ? "Series" : "Step", { label: "Rows", class: "num" }, { label: "RMSE", class: "num" }, { label: "Persistence", class: "num" }, { label: "Skill", class: "num" }, "Result"];
  const rows = list.map((each) => [name(each), count(each.rows), number(each.model.rmse), number(each.baselines.persistence?.rmse), ...verdictOf(each.against?.persistence, each.baselines.persistence, each.model)]);
  return h("details", {}, h("summary", {}, title), table({ caption: title, head, rows, scroll: true }));
}

function textTable(text) {
  const per = text.bits_per_character / text.bits_per_token; // missing in older scorecards
  const unit = per ? "Bits per character" : "Bits per token";
  const bits = (value) => number(value && per ? value * per : value);
  const rows = [
    { self: true, cells: ["This version", bits(text.bits_per_token), percent(text.correct / text.tokens), "", ""] },
    ...ordered(text.baselines).map(([key, value]) => {
      return { cells: [baselineName(key), bits(value), "", ...verdictOf(text.against?.[key])] };
    }),
  ];
  return [
    table({
      stacked: true,
      caption: `${unit} over ${count(text.tokens)} contexts; lower is better`,
      head: ["Forecaster", { label: unit, class: "num" }, { label: "Right", class: "num" }, { label: "Skill against it", class: "num" }, "Result"],
      rows,
    }),
    facts(
      [
        ["In the top five", typeof text.accuracy_in_5 === "number" ? percent(text.accuracy_in_5) : null],
        ["Perplexity", typeof text.perplexity === "number" ? number(text.perplexity) : null],
        ["Bits per token", typeof text.bits_per_token === "number" ? number(text.bits_per_token) : null],
      ],
      "numbers",
    ),
  ];
}

// Skill, error and coverage, each with what it means.
export function bigNumbers(version) {
  const { scorecard, kind } = version;
  const { skill, judged_on: on, series, text } = scorecard;
  const whole = series && overHorizon(series);
  const unmeasured = skill === null || on === "training";
  const tone = scorecard.verdict.startsWith("better") ? "good" : scorecard.verdict.startsWith("worse") ? "bad" : "";
  const numbers = [[unmeasured ? "–" : signed(skill), "Skill", unmeasured ? "not measured" : isNoise(version) ? "within noise of the simplest forecast" : `${skill > 0 ? "better" : "worse"} than ${BASELINE[kind]}`, tone]];
  if (whole) {
    numbers.push([number(whole.model.rmse), "RMSE", series.pooled ? "in units of each series’ mean change" : `in the unit of ${version.manifest.series.target}`]);
    const interval = (whole.intervals ?? []).find((each) => each.level === series.curve_level) ?? whole.intervals?.[0];
    if (interval) numbers.push([percent(interval.coverage, 0), "Coverage", `of the ${interval.level} % intervals`]);
  } else if (text) {
    const per = text.bits_per_character ? "character" : "token";
    numbers.push([number(text.bits_per_character ?? text.bits_per_token), `Bits per ${per}`, "lower is better"], [percent(text.correct / text.tokens, 0), "Right", `of ${count(text.tokens)} next tokens`]);
  }
  return h("dl", { class: "numbers" }, numbers.map(([value, term, meaning, kind = ""]) => h("div", {}, h("dt", {}, term), h("dd", { class: `big ${kind}` }, value), h("dd", { class: "meaning" }, meaning))));
}

// Skill against persistence (text: an n-gram); differences within noise are marked.
export function skillOf(version) {
  return skillBar(version.scorecard.skill, version.kind, { ends: true, noise: isNoise(version) });
}

// The judged points of a version: series by series, the last part at first.
export function judgedPoints({ scorecard: { series } }) {
  const labels = [...new Set(series.curve.map((point) => point.series))];
  const longest = Math.max(...labels.map((label) => series.curve.filter((point) => point.series === label).length));
  const state = { label: labels[0], last: longest > 1.5 * LAST ? LAST : null };
  const points = () => {
    const own = series.curve.filter((point) => point.series === state.label);
    return state.last ? own.slice(-state.last) : own;
  };
  return { points, x: () => points().map((point, index) => point.time ?? index), controls: (redraw) => controls(state, labels, longest, redraw) };
}

// Actual and forecast on held-out data, with persistence.
export function heldOutPicture(version) {
  const { series } = version.scorecard;
  if (!series?.curve.length) return null;
  const { points, x, controls } = judgedPoints(version);
  const picture = figure({
    caption: `${version.manifest.series?.target ?? "value"}: forecast one step ahead against the actual value, on ${version.scorecard.judged_on === "training" ? "training" : "held-out"} rows`,
    label: `Line chart: ${version.scorecard.verdict}`,
    head: ["Time", { label: "Actual value", class: "num" }, { label: "Forecast", class: "num" }, { label: "Last value", class: "num" }],
    rows: () => points().map((each, index) => [each.time ?? index, number(each.actual, 6), number(each.forecast, 6), number(each.persistence, 6)]),
  });
  const redraw = () => drawPicture(picture.element, x, points, series.curve_level);
  redraw();
  return h("div", {}, controls(redraw), picture.whole);
}

export function heldOutResiduals(version, part) {
  if (!version.scorecard.series?.curve.length) return null;
  const { points, x, controls } = judgedPoints(version);
  const picture = figure({ caption: "Forecast − actual value, and the same for repeating the last value", label: "Bar chart of residuals of the forecast and of repeating the last value", size: "low" });
  const redraw = () => drawResiduals(picture.element, x, points);
  redraw();
  return part("Residuals", controls(redraw), picture.whole);
}

function controls(state, labels, total, redraw) {
  const row = h("div", { class: "row" });
  const ranges = [[60, "Last 60"], [LAST, `Last ${LAST}`], [null, "All"]].filter(([size]) => size === null || 1.5 * size < total);
  if (ranges.length > 1) {
    const buttons = ranges.map(([size, label]) => {
      const button = h("button", { type: "button", class: "tight", "aria-pressed": String(state.last === size) }, label);
      button.addEventListener("click", () => {
        state.last = size;
        for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
        redraw();
      });
      return button;
    });
    row.append(...buttons, h("span", { class: "quiet small" }, "Drag to zoom in, double-click to zoom out."));
  }
  if (labels.length > 1) {
    const choice = h("select", { "aria-label": "Series", class: "narrow" }, labels.map((label) => h("option", { value: label ?? "" }, label)));
    choice.addEventListener("change", () => {
      state.label = choice.value;
      redraw();
    });
    row.prepend(choice);
  }
  return row;
}

function drawPicture(element, x, points, level) {
  draw(
    element,
    () => {
      const at = x();
      const line = (name, key, style) => ({ name, x: at, y: points().map((each) => each[key]), mode: "lines", line: style });
      const traces = [];
      if (points().some((each) => typeof each.low === "number" && typeof each.high === "number")) {
        traces.push(
          { ...line("band, low", "low", { width: 0 }), showlegend: false, hoverinfo: "skip" },
          { ...line(`${level} % interval`, "high", { width: 0 }), fill: "tonexty", fillcolor: colour("band"), hoverinfo: "skip" },
        );
      }
      traces.push(
        line("repeating the last value", "persistence", { color: colour("persistence"), width: 1.5, dash: "dot" }),
        line("forecast", "forecast", { color: colour("forecast"), width: 2.4 }),
        line("actual value", "actual", { color: colour("actual"), width: 2 }),
      );
      return traces;
    },
    () => ({ yaxis: { exponentformat: "none" } }),
  );
}

function drawResiduals(element, x, points) {
  draw(
    element,
    () => {
      const at = x();
      const off = (key) => points().map((each) => each[key] - each.actual);
      return [
        { name: "forecast", type: "bar", x: at, y: off("forecast"), marker: { color: colour("forecast") } },
        { name: "repeating the last value", type: "bar", x: at, y: off("persistence"), marker: { color: colour("persistence") } },
      ];
    },
    () => ({ barmode: "group", bargap: 0.15, yaxis: { zeroline: true, exponentformat: "none" }, margin: { l: 50, r: 12, t: 8, b: 30 } }),
  );
}

// How a model performs in use: live skill, coverage, drift, requests, latency.

import { actualsForm } from "./actuals.js";
import { all, get, query, reach } from "./api.js";
import { fill, h, table } from "./dom.js";
import { Field, failed, select } from "./fields.js";
import { capital, count, figure as number, percent, plural, signed } from "./format.js";
import { colour, draw, figure } from "./plot.js";
import { retraining } from "./retrain.js";
import { skillBar } from "./skill.js";

const place = document.getElementById("monitor");
const DAYS = [[7, "a week"], [30, "30 days"], [90, "90 days"], [365, "a year"]];
const PERCENTILES = [[0.5, "Half within"], [0.95, "95 % within"], [0.99, "99 % within"]];
const SETTLED_MS = 4000; // by then a worker has matched new actual values
const DRIFT = { worth: 0.1, another: 0.25 };

async function start() {
  const items = await all("/models");
  place.removeAttribute("aria-busy");
  if (!items.length) return fill(place, h("p", {}, "No models yet. ", h("a", { href: "/ui/train" }, "Train the first.")));
  const address = new URLSearchParams(location.search);
  const asked = address.get("model") ?? items.find((each) => each.kind === "series")?.name;
  const options = items.map((each) => [each.name, `${each.name} (${each.kind})`]);
  if (asked && !options.some(([name]) => name === asked)) options.unshift([asked, asked]);
  const model = new Field({ name: "model", label: "Model", input: select(options, asked) });
  const days = new Field({ name: "days", label: "Over", input: select(DAYS, address.get("days") ?? 30) });
  const body = h("div");
  const show = async () => {
    const asked = `${model.input.value} ${days.input.value}`;
    const late = () => asked !== `${model.input.value} ${days.input.value}`;
    document.getElementById("as-json").href = `/models/${model.input.value}/monitor${query({ days: days.input.value })}`;
    history.replaceState(null, "", `/ui/monitor${query({ model: model.input.value, days: days.input.value })}`);
    try {
      // Alone at first, so that a needed key is asked for once.
      const monitor = await get(`/models/${model.input.value}/monitor${query({ days: days.input.value })}`);
      const [decisions, latencies, schedule] = await Promise.all([
        get(`/models/${model.input.value}/decisions?limit=10`),
        latency(model.input.value),
        get(`/models/${model.input.value}/schedule`),
      ]);
      if (late()) return;
      const figures = h("div", {}, cards(monitor, latencies));
      const renew = async () => fill(figures, cards(await get(`/models/${monitor.model}/monitor${query({ days: days.input.value })}`), latencies));
      fill(body, figures, forms(monitor, { decisions, schedule, show, settled: () => setTimeout(() => renew().catch(() => {}), SETTLED_MS) }));
    } catch (error) {
      if (!late()) failed(body, error);
    }
  };
  for (const field of [model, days]) field.input.addEventListener("change", show);
  fill(place, h("div", { class: "row filters" }, model.element, days.element), body);
  await show();
}

// What can be changed here.
function forms({ model, kind }, { decisions, schedule, show, settled }) {
  const series = kind === "series";
  return [
    series && card("Actual values", h("p", { class: "quiet" }, "Histories of later requests bring them by themselves."), actualsForm(model, settled)),
    !series && card("Texts that followed", h("p", { class: "quiet" }, "The ", h("a", { href: `/ui/log${query({ model })}` }, "log"), " takes the text that really followed a prompt, under Details. POST /actuals takes many.")),
    card("Automatic retraining", retraining(model, { series, schedule, decisions, renewed: show })),
  ];
}

function cards(monitor, latencies) {
  const served = monitor.versions.filter((each) => each.role === "served");
  const parts = [];
  if (monitor.unread) parts.push(h("p", { class: "warning" }, `${plural(monitor.unread, "prediction")} not counted yet.`));
  if (!monitor.versions.length) {
    parts.push(h("p", { class: "card" }, "No requests in this period. ", h("a", { href: `/ui/try?model=${monitor.model}` }, "Try it.")));
  } else {
    const champion = served.find((each) => each.aliases.includes("champion")) ?? served[0];
    if (champion) parts.push(now(champion, monitor.kind));
    parts.push(byVersion(monitor), byDay(monitor));
  }
  if (monitor.shadow) parts.push(shadow(monitor.shadow, monitor.kind));
  parts.push(speed(latencies));
  return parts.filter(Boolean);
}

const card = (title, ...children) => h("section", { class: "card", "aria-label": title }, h("h2", {}, title), children);

function now(champion, kind) {
  return card(
    `Version ${champion.version}, in use`,
    champion.skill === null
      ? h("p", {}, `${capital(champion.skill_missing ?? "no live skill")}.`)
      : h("div", { class: "limit" }, skillBar(champion.skill, kind, { ends: true })),
    champion.measured_skill !== null && h("p", { class: "quiet" }, `Its scorecard has ${signed(champion.measured_skill)}.`),
    h("p", {}, driftInWords(champion)),
  );
}

function byVersion(monitor) {
  const series = monitor.kind === "series";
  const head = ["Version", { label: "Requests", class: "num" }];
  if (series) head.push({ label: "Settled", class: "num" }, { label: "RMSE", class: "num" }, { label: "Persistence", class: "num" }, { label: "Live skill", class: "num" }, { label: "Scorecard", class: "num" }, { label: "Bias", class: "num" }, "Coverage");
  if (series) head.push("Drift");
  else head.push({ label: "Texts that followed", class: "num" }, { label: "Bits per character", class: "num" }, { label: "N-gram", class: "num" }, { label: "Live skill", class: "num" }, { label: "Scorecard", class: "num" }, { label: "Accuracy", class: "num" });
  return card(
    "By version",
    h("p", { class: "quiet" }, `${plural(monitor.requests_per_minute, "request")} in the last minute.`),
    table({
      caption: "Live figures by version",
      head,
      stacked: true,
      rows: monitor.versions.map((each) => [
        [`${each.version} `, each.role === "shadow" ? h("span", { class: "badge busy" }, "shadow") : each.aliases.map((alias) => h("span", { class: `badge ${alias === "champion" ? "champion" : "busy"}` }, alias))],
        count(each.requests),
        ...(series
          ? [count(each.forecasts), number(each.rmse), number(each.persistence_rmse), each.skill === null ? "–" : signed(each.skill), each.measured_skill === null ? "–" : signed(each.measured_skill), number(each.bias), coverage(each)]
          : []),
        ...(series
          ? [drift(each)]
          : [count(each.forecasts), number(each.bits_per_character), number(each.ngram_bits_per_character), each.skill === null ? "–" : signed(each.skill), each.measured_skill === null ? "–" : signed(each.measured_skill), each.accuracy === null ? "–" : percent(each.accuracy)]),
      ]),
    }),
  );
}

function coverage(each) {
  if (!each.coverage) return h("span", { class: "quiet small" }, each.coverage_missing);
  return each.coverage.map((level) => h("div", {}, `${level.level} %: ${number(level.observed, 3)} %`));
}

// One sentence; the figures are in the table.
function driftInWords({ drift: features }) {
  const known = (features ?? []).filter((each) => each.psi !== null);
  if (!known.length) return null;
  const named = (list) => list.map((each) => each.feature).join(", ");
  const changed = known.filter((each) => each.psi >= DRIFT.another);
  const moving = known.filter((each) => each.psi >= DRIFT.worth && each.psi < DRIFT.another);
  if (changed.length) return h("strong", {}, `${named(changed)}: no longer distributed as in training. Train on newer data.`);
  return moving.length ? `${named(moving)}: begins to differ from training.` : "Its inputs are distributed as in training.";
}

function drift(each) {
  if (!each.drift) return h("span", { class: "quiet small" }, each.drift_missing);
  return each.drift.map((feature) => {
    if (feature.psi === null) return h("div", { class: "quiet small" }, `${feature.feature}: ${feature.missing}`);
    const kind = feature.psi >= DRIFT.another ? "bad" : feature.psi >= DRIFT.worth ? "busy" : "good";
    const words = feature.psi >= DRIFT.another ? "different distribution" : feature.psi >= DRIFT.worth ? "worth a look" : "as in training";
    return h("div", {}, `${feature.feature}: ${number(feature.psi, 2)} `, h("span", { class: `badge ${kind}` }, words));
  });
}

function byDay(monitor) {
  const days = monitor.days.filter((each) => each.role === "served").toReversed();
  const versions = [...new Set(days.map((each) => each.version))].sort((a, b) => a - b);
  const requests = figure({ caption: "Requests by day (UTC)", label: "Bar chart of requests by day and version", size: "low", head: ["Day", { label: "Version", class: "num" }, { label: "Requests", class: "num" }, { label: "Live skill", class: "num" }], rows: () => days.map((each) => [each.day, each.version, count(each.requests), each.skill === null ? "–" : signed(each.skill)]) });
  const tones = ["forecast", "persistence", "good-fill", "bad-fill"];
  if (new Set(days.map((each) => each.day)).size < 2) return null; // its one number is in the table
  draw(
    requests.element,
    () => versions.map((version, index) => {
      const own = days.filter((each) => each.version === version);
      return { type: "bar", name: `version ${version}`, x: own.map((each) => each.day), y: own.map((each) => each.requests), marker: { color: colour(tones[index % tones.length]) } };
    }),
    () => ({ barmode: "stack", bargap: days.length < 6 ? 0.75 : 0.2, showlegend: versions.length > 1, xaxis: { type: "category" } }),
  );
  const known = days.filter((each) => each.skill !== null);
  if (!known.length) return card("By day", requests.whole);
  const skills = figure({ caption: `Live skill by day: above 0 is better than ${monitor.kind === "series" ? "repeating the last value" : "the n-gram"}`, label: "Line chart of live skill by day", size: "low" });
  draw(
    skills.element,
    () => versions.map((version, index) => {
      const own = known.filter((each) => each.version === version);
      return { mode: "lines+markers", name: `version ${version}`, x: own.map((each) => each.day), y: own.map((each) => each.skill), line: { color: colour(tones[index % tones.length]) } };
    }),
    () => ({ showlegend: versions.length > 1, xaxis: { type: "category" }, yaxis: { tickformat: ".0%", zeroline: true } }),
  );
  return card("By day", skills.whole, requests.whole);
}

function shadow(compared, kind) {
  const [unit, none] = kind === "series" ? ["forecast", "No forecast that both made has its actual value yet."] : ["text", "No text that followed was read by both yet."];
  return card(
    `Shadow: version ${compared.version}`,
    compared.skill === null ? h("p", {}, none) : skillBar(compared.skill, kind, { ends: true, label: `${signed(compared.skill)} compared with the served version, over ${plural(compared.forecasts, unit)}` }),
    compared.bits_per_character !== null && h("p", { class: "quiet" }, `${number(compared.bits_per_character)} bits per character; served version ${number(compared.served_bits_per_character)}.`),
    compared.rmse !== null && h("p", { class: "quiet" }, `RMSE ${number(compared.rmse)}; served version ${number(compared.served_rmse)}.`),
  );
}

// The service's metrics, by version: cumulative buckets of answer times.
async function latency(model) {
  const text = await (await reach("/metrics")).text();
  const versions = new Map();
  for (const line of text.split("\n")) {
    const found = /^stepahead_prediction_seconds_bucket\{(.*)\} (\S+)$/.exec(line);
    if (!found) continue;
    const label = Object.fromEntries([...found[1].matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
    if (label.model !== model) continue;
    if (!versions.has(label.version)) versions.set(label.version, []);
    versions.get(label.version).push([label.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(label.le), Number(found[2])]);
  }
  for (const buckets of versions.values()) buckets.sort(([a], [b]) => a - b);
  return [...versions].filter(([, buckets]) => buckets.at(-1)[1]).sort(([a], [b]) => b - a);
}

function speed(versions) {
  if (!versions.length) return card("Latency", h("p", { class: "quiet" }, "No predictions since the service started."));
  const told = (seconds) => (seconds === Number.POSITIVE_INFINITY ? "over 10 s" : seconds < 1 ? `${number(seconds * 1000)} ms` : `${number(seconds)} s`);
  const within = (buckets, share) => told(buckets.find(([, seen]) => seen >= share * buckets.at(-1)[1])[0]);
  return card(
    "Latency",
    table({
      caption: "Answer times by version",
      head: ["Version", { label: "Answers", class: "num" }, ...PERCENTILES.map(([, label]) => ({ label, class: "num" }))],
      rows: versions.map(([version, buckets]) => [`Version ${version}`, count(buckets.at(-1)[1]), ...PERCENTILES.map(([share]) => within(buckets, share))]),
      stacked: true,
    }),
    h("p", { class: "hint" }, "From the start of processing to the committed answer, since the service started, without the network. Details are at /metrics."),
  );
}

start().catch((error) => failed(place, error));

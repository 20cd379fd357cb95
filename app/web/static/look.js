// Explains a prediction: the influence of each past step, and what happened in every gate.

import { all, call, get } from "./api.js";
import { fill, h, put, say, table } from "./dom.js";
import { endsOf } from "./ends.js";
import { Field, failed, select, showProblem } from "./fields.js";
import { figure as number, percent } from "./format.js";
import { quoted, share } from "./token.js";
import { heatmap } from "./heatmap.js";
import { helloByHand } from "./hello.js";
import { showMemory } from "./memory.js";
import { NotUnderstood, columnsOf, readPasted } from "./pasted.js";
import { colour, draw, figure, plain } from "./plot.js";

const place = document.getElementById("look");
const EXAMPLES = { "belling-the-cat": "some said this , and", hello: "hel" };
const GATES = {
  input: "how much of the candidate is added", forget: "how much of the old state is kept", candidate: "the candidate for the new state", output: "how much of the cell state is output",
  update: "how much of the old state is kept", reset: "how much of the old state the candidate uses",
};
const STATES = { hidden: "the layer’s output", cell: "the layer’s memory" };
const SIGNED = new Set(["candidate", "hidden", "cell"]);

const trouble = h("div");
const answer = h("div");

async function start() {
  const items = await all("/models");
  place.removeAttribute("aria-busy");
  const asked = new URLSearchParams(location.search).get("model");
  const options = items.filter((model) => model.champion).map((model) => [model.name, `${model.name} (${model.kind})`]);
  if (asked && !options.some(([name]) => name === asked)) options.unshift([asked, asked]);
  const choice = new Field({ name: "model", label: "Model", input: select(options, asked ?? options[0]?.[0]) });
  const form = h("form", { class: "card", novalidate: true }, choice.element);
  const show = () => question(form, choice, items).catch((error) => showProblem(trouble, error));
  choice.input.addEventListener("change", () => {
    history.replaceState(null, "", `/ui/look?model=${encodeURIComponent(choice.input.value)}`);
    fill(answer);
    showProblem(trouble, null);
    show();
  });
  fill(place, form, trouble, answer, helloByHand());
  await show();
}

async function question(form, choice, models) {
  const reference = choice.input.value;
  const [name, which] = reference.split("@");
  const model = models.find((each) => each.name === name) ?? (await get(`/models/${name}`));
  const version = await get(`/models/${name}/versions/${which === undefined ? model.champion.version : (model.aliases[which] ?? which)}`);
  if (reference !== choice.input.value) return; // another model was chosen meanwhile
  const text = version.kind === "text";
  const field = new Field({
    name: text ? "text" : "history",
    label: text ? "What comes before" : "Past values, oldest first",
    input: h("textarea", { rows: text ? 2 : 4, class: text ? "prose" : "", spellcheck: "false", value: text ? (EXAMPLES[name] ?? "") : example(version) }),
  });
  const fields = [choice, field];
  const ends = h("div");
  if (!text) offerEnds(ends, field, version).catch((error) => showProblem(trouble, error));
  fill(form, choice.element, ends, field.element, h("button", { class: "primary", type: "submit" }, "Explain"));
  form.onsubmit = async (event) => {
    event.preventDefault();
    showProblem(trouble, null, fields);
    try {
      const question = { model: choice.input.value };
      if (text) question.text = field.input.value;
      else {
        const { names, words } = columnsOf(version.manifest.series);
        const { history, timestamps } = readPasted(field.input.value, names, words);
        Object.assign(question, { history, ...(timestamps && { timestamps }) });
      }
      opened(await call("POST", "/explain", { json: question }), version);
    } catch (error) {
      if (error instanceof NotUnderstood) {
        field.showError(error.message);
        field.input.focus();
      } else showProblem(trouble, error, fields);
    }
  };
}

async function offerEnds(place, field, version) {
  const offered = await endsOf(version, { into: field.input, failed: (error) => showProblem(trouble, error) });
  if (offered) fill(place, offered);
}

function example(version) {
  const curve = version.scorecard.series?.curve ?? [];
  if (!curve.length) return "";
  const own = curve.filter((each) => each.series === curve.at(-1).series).slice(-Math.max(60, version.manifest.min_history));
  if (version.manifest.series.features.length > 1 || own.length < version.manifest.min_history) return "";
  return own.map((each) => (each.time ? `${each.time} ${each.actual}` : String(each.actual))).join("\n");
}

function opened(explained, version) {
  const text = explained.kind === "text";
  const steps = explained.inputs.map((each) => (text ? each.token : (each.timestamp ?? (each.step === 0 ? "newest" : String(each.step)))));
  const memory = h("section", { class: "card" });
  fill(answer, summary(explained, steps), ...explained.layers.map((layer) => layerCard(layer, steps, explained.layers.length)), memory);
  showMemory(memory, explained.model, explained.version)
    .catch((error) => showProblem(memory, error))
    .then(() => (memory.hidden = !memory.children.length));
  say(`Explained: ${text ? explained.token : number(explained.value)}`);
}

function summary(explained, steps) {
  const text = explained.kind === "text";
  const bars = figure({
    caption: text ? `Influence of each token on the probability of ${quoted(explained.token)}` : `Influence of each past step on the forecast, in the unit of the target`,
    label: "Bar chart of the influence of each past step",
    size: "mid",
    head: ["Step", ...(text ? [] : ["Values"]), { label: "Influence", class: "num" }, ...(byAnchor(explained) ? [{ label: "Through the anchor", class: "num" }] : [])],
    rows: () => explained.inputs.map((each, index) => (text ? [steps[index], number(each.influence, 3)] : [steps[index], Object.values(each.values).map((value) => number(value)).join(", "), Object.values(each.influence).map((value) => number(value, 3)).join(", "), ...(byAnchor(explained) ? [number(each.anchor, 3)] : [])])),
  });
  const card = h(
    "section",
    { class: "card", "aria-labelledby": "answer" },
    h("h2", { id: "answer" }, text ? `Next: ${quoted(explained.token)}, ${share(explained.probability)}` : `Next: ${number(explained.value, 6)}`),
    explained.warnings.length > 0 && h("div", { class: "warning" }, h("ul", {}, explained.warnings.map((each) => h("li", {}, each)))),
    h("p", {}, sumInWords(explained)),
    bars.whole,
    text && expected(explained),
  );
  draw(
    bars.element,
    () => {
      const x = explained.inputs.map((each, index) => (text ? index : steps[index]));
      if (text) return [{ type: "bar", x, y: explained.inputs.map((each) => each.influence), marker: { color: explained.inputs.map((each) => colour(each.influence < 0 ? "bad-fill" : "forecast")) } }];
      const names = Object.keys(explained.inputs[0].influence);
      const several = names.length > 1 || byAnchor(explained);
      const network = names.map((name) => ({
        type: "bar", name: plain(name), x, y: explained.inputs.map((each) => each.influence[name]),
        marker: several ? {} : { color: explained.inputs.map((each) => colour(each.influence[name] < 0 ? "bad-fill" : "forecast")) },
      }));
      return byAnchor(explained) ? [...network, { type: "bar", name: "through the anchor", x, y: explained.inputs.map((each) => each.anchor) }] : network;
    },
    () => ({
      barmode: "relative", bargap: steps.length < 6 ? 0.6 : 0.2, showlegend: !text && (Object.keys(explained.inputs[0].influence).length > 1 || byAnchor(explained)),
      xaxis: text ? { tickmode: "array", tickvals: steps.map((_, index) => index), ticktext: steps.map(plain) } : steps.length === 1 ? { type: "category" } : {},
      yaxis: { exponentformat: "none" },
    }),
  );
  return card;
}

// Whether the anchor uses more than the last value, so that past steps act through it too.
const byAnchor = (explained) => explained.kind === "series" && explained.inputs.some((each) => each.anchor);

function sumInWords(explained) {
  const sum = (each) => (typeof each.influence === "number" ? each.influence : Object.values(each.influence).reduce((a, b) => a + b, 0));
  const total = explained.inputs.reduce((a, each) => a + sum(each), 0);
  if (explained.kind === "text") {
    return `${percent(explained.probability)} = ${percent(explained.baseline)} without the words ${total < 0 ? "−" : "+"} ${percent(Math.abs(total))} from the words (completeness gap ${number(explained.gap, 2)}).`;
  }
  const season = explained.anchor.season ? ` of ${explained.anchor.season} rows` : "";
  const anchor = explained.anchor.name === "none" ? "the scaling’s zero point" : `the anchor (${explained.anchor.name}${season})`;
  const earlier = explained.earlier ? ` ${signedNumber(explained.earlier)} from earlier steps` : "";
  return `${number(explained.value, 6)} = ${number(explained.anchor.value, 6)} from ${anchor} ${signedNumber(explained.baseline)} from the network without the inputs ${signedNumber(total)} from the steps below${earlier} (completeness gap ${number(explained.gap, 2)})${explained.raised ? `, raised by ${number(explained.raised, 3)}: it was never lower` : ""}.`;
}

const signedNumber = (value) => `${value < 0 ? "−" : "+"} ${number(Math.abs(value), 4)}`;

function expected(explained) {
  return h(
    "details",
    {},
    h("summary", {}, "Expected after each token"),
    table({
      caption: "The most probable next tokens after each token",
      head: ["After", "Expected"],
      rows: explained.inputs.map((each) => [quoted(each.token), each.next.map((next) => `${quoted(next.token)} ${share(next.probability)}`).join(" · ")]),
    }),
  );
}

function layerCard(layer, steps, layers) {
  const maps = [...Object.entries(layer.gates).map(([name, grid]) => [name, GATES[name] ?? "", grid]), ...Object.entries(layer.states).map(([name, grid]) => [`${name} state`, STATES[name] ?? "", grid])];
  const shown = layer.units.length < layer.size ? `, the ${layer.units.length} of ${layer.size} units that change most` : "";
  const id = `layer-${layer.layer}`;
  const card = h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, layers > 1 ? `Layer ${layer.layer + 1}` : "Gates and states"), h("p", { class: "hint" }, `One column per step, oldest left (${steps[0]} to ${steps.at(-1)}); one row per unit${shown}.`));
  put(
    card,
    h(
      "div",
      { class: "maps" },
      maps.map(([title, about, grid]) => heatmap({ title, about, grid, steps, units: layer.units, signed: SIGNED.has(title.split(" ")[0]) })),
    ),
  );
  return card;
}

start().catch((error) => failed(place, error));

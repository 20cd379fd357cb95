// The log: every answered request, with filters, details, replay and export.

import { MOST_OF_A_PAGE, all, call, find, get, query } from "./api.js";
import { dialog, facts, fill, h, say, table } from "./dom.js";
import { Field, failed, select, showProblem } from "./fields.js";
import { ago, count, figure as number, when } from "./format.js";
import { quoted, share } from "./token.js";

const place = document.getElementById("log");
const PAGE = 30;
const MOST_EXPORTED = 10_000;
const TEXT_SHOWN = 60;
const HOUR_MS = 3_600_000;

const address = new URLSearchParams(location.search);
const input = (name, given = {}) => h("input", { value: address.get(name) ?? "", spellcheck: "false", ...given });
const names = h("datalist", { id: "names" });
const fields = [
  new Field({ name: "model", label: "Model", input: input("model", { list: names.id, autocomplete: "off" }) }),
  new Field({ name: "version", label: "Version", input: input("version", { inputmode: "numeric" }) }),
  new Field({ name: "kind", label: "Kind", input: select([["", "both"], ["series", "series"], ["text", "text"]], address.get("kind")) }),
  new Field({ name: "series", label: "Series", input: input("series") }),
  new Field({ name: "key", label: "Key", input: input("key") }),
  new Field({ name: "from", label: "From", input: input("from", { type: "datetime-local" }) }),
  new Field({ name: "to", label: "Before", input: input("to", { type: "datetime-local" }) }),
];
const list = h("div");
const trouble = h("div");
let items = [];
let next = null;
// The pending request; answers and errors of earlier ones are ignored.
let asking = null;

const shown = () => Object.fromEntries(fields.map((field) => [field.name, field.input.value.trim()]));

// As a field for local times takes it.
function localTime(moment) {
  const date = new Date(moment);
  return new Date(moment - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

// Local times, sent with their zone.
function asked() {
  const values = shown();
  for (const name of ["from", "to"]) if (values[name]) values[name] = new Date(values[name]).toISOString();
  return values;
}

async function load(cursor = null) {
  showProblem(trouble, null, fields);
  if (!cursor) history.replaceState(null, "", `/ui/log${query(shown())}`);
  const question = get(`/predictions${query({ ...asked(), limit: PAGE, cursor })}`);
  asking = question;
  const [{ value: page, reason }] = await Promise.allSettled([question]);
  if (asking !== question) return false;
  place.removeAttribute("aria-busy");
  if (reason) {
    showProblem(trouble, reason, fields);
    return false;
  }
  items = cursor ? [...items, ...page.items] : page.items;
  next = page.next;
  show();
  return true;
}

function show() {
  if (!items.length) {
    fill(list, h("p", {}, "No predictions match these filters. ", h("a", { href: "/ui/try" }, "Try a model.")));
    return;
  }
  fill(
    list,
    h("div", { class: "card" }, table({ caption: "Predictions, newest first", head: ["Answered", "Model", "Request", "Answer", "Actions"], rows: items.map(row), stacked: true, compact: true })),
    next && h("button", { onclick: older }, "Older predictions"),
  );
}

async function older() {
  const first = items.length;
  if (await load(next)) list.querySelectorAll("tbody tr")[first]?.querySelector("a").focus();
}

function row(item) {
  const open = h("button", { class: "tight", "aria-label": `Details of ${item.id}`, onclick: () => details(item).catch((error) => showProblem(trouble, error)) }, "Details");
  return [
    h("time", { datetime: item.created_at, title: when(item.created_at) }, ago(item.created_at)),
    [h("a", { href: `/ui/models/${item.model}?version=${item.version}` }, `${item.model} ${item.version}`), item.series ? ` · ${item.series}` : "", item.request.live === false && [" ", h("span", { class: "badge" }, "try-out")]],
    question(item.request),
    answer(item.response),
    open,
  ];
}

const shorten = (text) => (text.length > TEXT_SHOWN ? `… ${text.slice(-TEXT_SHOWN)}` : text);

function question(request) {
  if (request.text !== undefined && request.text !== null) return `“${shorten(request.text)}”`;
  if (request.dataset) return "the end of a dataset";
  const { history } = request;
  const values = Array.isArray(history) ? history : (Object.values(history ?? {})[0] ?? []);
  return `${values.length > 3 ? `${values.length} values, … ` : ""}${values.slice(-3).map((each) => number(each, 6)).join(", ")}`;
}

// Characters follow each other; words are apart.
const written = ({ predictions }) => predictions.map((each) => each.token).join(predictions.some((each) => each.token.length > 1) ? " " : "");

function answer(response) {
  const [first] = response.predictions;
  if (first.token !== undefined) return `${written(response).slice(0, TEXT_SHOWN)} (${share(first.probability)})`;
  const more = response.predictions.length > 1 ? ` and ${response.predictions.length - 1} more` : "";
  return `${number(first.value, 6)}${first.timestamp ? ` for ${first.timestamp}` : ""}${more}`;
}

async function details(item) {
  const outcome = h("div", { "aria-live": "polite" });
  const close = h("button", { type: "button" }, "Close");
  const body = h(
    "div",
    {},
    facts([
      ["Answered", when(item.created_at)],
      ["By", `${item.model}, version ${item.version}${item.alias ? ` (asked as ${item.alias})` : ""}`],
      ["Series", item.series],
      ["Key", item.key],
      ["Request", question(item.request)],
      ["Answer", answer(item.response)],
      ["Id", h("code", {}, item.id)],
      ["Request id", h("code", {}, item.request_id)],
    ]),
    h("details", {}, h("summary", {}, "Request and answer as JSON"), h("pre", { class: "code scroll", tabindex: "0" }, JSON.stringify({ request: item.request, response: item.response }, null, 1))),
    item.kind === "series" ? await actuals(item) : await following(item),
    await replayForm(item, outcome),
    outcome,
    h("div", { class: "acts" }, close),
  );
  const box = dialog({ title: "Prediction", body });
  close.addEventListener("click", () => box.close());
}

// The actual values: shown if they are known, otherwise they can be entered here.
async function actuals(item) {
  const place = h("div");
  const known = await all(`/models/${item.model}/actuals`, { prediction: item.id });
  const steps = item.response.predictions.map((step) => ({ step, actual: known.find((each) => each.step === step.step) }));
  const level = steps[0]?.step.intervals?.[0]?.level;
  const band = (interval) => (interval ? `${number(interval.low, 5)} – ${number(interval.high, 5)}` : "–");
  const show = () =>
    fill(
      place,
      table({
        caption: "Forecast vs. actual",
        head: ["Step", { label: "Forecast", class: "num" }, ...(level ? [{ label: `${level} %`, class: "num" }] : []), { label: "Actual value", class: "num" }, { label: "Error", class: "num" }],
        rows: steps.slice(0, 20).map(({ step, actual }) => [step.timestamp ?? step.step, number(step.value, 6), ...(level ? [band(step.intervals?.find((each) => each.level === level))] : []), actual ? number(actual.value, 6) : "not known yet", actual ? number(step.value - actual.value) : ""]),
      }),
    );
  show();
  const field = new Field({ name: "value", label: "Actual value (step 1)", input: h("input", { inputmode: "decimal" }) });
  const trouble = h("div");
  const form = h("form", { class: "row" }, field.element, h("button", { type: "submit" }, "Save actual value"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const value = Number(field.input.value);
    if (!field.input.value.trim() || !Number.isFinite(value)) return field.showError("must be a number, for example 795.26");
    try {
      await call("POST", "/actuals", { json: { items: [{ prediction: item.id, step: 1, value }] } });
      field.clear();
      steps[0].actual = { value };
      show();
      say("Saved; the monitor shows it within seconds");
    } catch (error) {
      showProblem(trouble, error, [field]);
    }
  });
  return h("div", {}, place, form, trouble);
}

// The text that really followed a prompt: shown if it is known, entered or corrected here.
async function following(item) {
  if (item.request.live === false) return h("p", { class: "hint" }, "A try-out is not measured by the text that followed.");
  const [known] = await all(`/models/${item.model}/actuals`, { prediction: item.id });
  const input = h("textarea", { rows: 2 });
  input.value = known?.text ?? "";
  const field = new Field({ name: "items.0.text", label: "Text that really followed", hint: "With the space or line break that it begins with.", input });
  const trouble = h("div");
  const form = h("form", {}, field.element, h("button", { type: "submit" }, "Save text"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await call("POST", "/actuals", { json: { items: [{ prediction: item.id, text: input.value }] } });
      field.clear();
      fill(trouble);
      say("Saved; the monitor shows it within seconds");
    } catch (error) {
      showProblem(trouble, error, [field]);
    }
  });
  return h("div", {}, form, trouble);
}

async function replayForm(item, outcome) {
  const model = await find(`/models/${item.model}`);
  const others = model?.versions.filter((each) => !each.deleted_at) ?? [];
  if (!others.length) return null;
  const field = new Field({ name: "version", label: "Replay with", input: select(others.map((each) => [each.version, `version ${each.version}${each.aliases.length ? ` (${each.aliases.join(", ")})` : ""}`]), others[0].version) });
  const form = h("form", { class: "row" }, field.element, h("button", { type: "submit" }, "Replay"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const { replay } = await call("POST", `/predictions/${item.id}/replay`, { json: { version: Number(field.input.value) } });
      field.clear();
      fill(outcome, beside(item, replay));
      say(`Version ${replay.version} answers ${answer(replay)}`);
    } catch (error) {
      showProblem(outcome, error, [field]);
    }
  });
  return form;
}

function beside(item, replay) {
  const text = item.kind === "text";
  const value = (step) => (step === undefined ? "–" : text ? `${quoted(step.token)} (${share(step.probability)})` : number(step.value, 6));
  return table({
    caption: "Both answers; the replay is not logged",
    head: ["Step", `Version ${item.version}, as logged`, `Version ${replay.version}, now`],
    rows: item.response.predictions.map((step, index) => [step.timestamp ?? step.step, value(step), value(replay.predictions[index])]),
    scroll: true,
  });
}

// All matching predictions, page by page, as a table of steps.
async function exported(button) {
  const label = button.textContent;
  button.disabled = true;
  const rows = [];
  try {
    let cursor = null;
    do {
      const page = await get(`/predictions${query({ ...asked(), limit: MOST_OF_A_PAGE, cursor })}`);
      rows.push(...page.items);
      cursor = page.next;
      button.textContent = `${rows.length} …`;
    } while (cursor && rows.length < MOST_EXPORTED);
    const link = h("a", { href: URL.createObjectURL(new Blob([csv(rows)])), download: "predictions.csv" });
    link.click();
    URL.revokeObjectURL(link.href);
    say(`${rows.length} predictions exported${cursor ? ", the newest; narrow the filters for older ones" : ""}`);
  } catch (error) {
    showProblem(trouble, error, fields);
  }
  button.textContent = label;
  button.disabled = false;
}

// A spreadsheet may run text that begins like this as a formula. The service's own export does the
// same.
const FORMULA_START = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

function csv(rows) {
  const head = ["id", "created_at", "model", "version", "series", "step", "timestamp", "value", "token", "probability"];
  const harmless = (cell) => (typeof cell === "string" && FORMULA_START.test(cell) ? `'${cell}` : cell);
  const quoted = (cell) => (cell === null || cell === undefined ? "" : /[",\n\r]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : cell);
  const lines = rows.flatMap((row) => row.response.predictions.map((step) => head.map((name) => quoted(harmless(step[name] ?? row[name]))).join(",")));
  return `${[head.join(","), ...lines].join("\n")}\n`;
}

const steps = h("button", { type: "button", onclick: () => exported(steps) }, "Export as CSV");
// Any number: the service writes the file, with one row per prediction.
const whole = ["csv", "parquet"].map((format) => {
  const button = h("button", { type: "button" }, `Export all as ${format === "csv" ? "CSV" : "Parquet"}`);
  button.addEventListener("click", async () => {
    // Invalid filters are shown here, and not in the file.
    if (await load()) h("a", { href: `/predictions/export${query({ ...asked(), format })}`, download: "" }).click();
  });
  return button;
});
const erase = h("button", { type: "button", class: "danger" }, "Delete what matches …");
erase.addEventListener("click", async () => {
  if (!(await load())) return;
  const { erasePredictions } = await import("./erase.js"); // not needed before
  erasePredictions(asked(), load).catch((error) => showProblem(trouble, error, fields));
});
const HOURS = [["", "any time"], [1, "the last hour"], [24, "the last day"], [168, "the last week"], [720, "the last 30 days"]];
const period = new Field({ name: "period", label: "Answered in", input: select(HOURS, "") });
const [model, ...others] = fields;
const inputOf = (name) => fields.find((each) => each.name === name).input;
period.input.addEventListener("change", () => {
  inputOf("from").value = period.input.value ? localTime(Date.now() - period.input.value * HOUR_MS) : "";
  inputOf("to").value = "";
  load();
});
const form = h(
  "form",
  { class: "card" },
  h("div", { class: "row filters" }, model.element, names, period.element, h("button", { type: "submit", class: "primary" }, "Show")),
  h("details", { open: others.some(({ input }) => input.value) }, h("summary", {}, "More filters"), h("div", { class: "fields" }, others.map((each) => each.element))),
  h("details", {}, h("summary", {}, "Export"), h("div", { class: "acts" }, steps, whole), h("p", { class: "hint" }, `“Export as CSV” has a line per forecast step of the newest ${count(MOST_EXPORTED)} predictions; “Export all” a line per prediction, without a limit.`)),
  h("details", {}, h("summary", {}, "Delete"), h("div", { class: "acts" }, erase), h("p", { class: "hint" }, "By model, series and time.")),
  trouble,
);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  load();
});

async function start() {
  fill(place, form, list);
  await load();
  all("/models").then((models) => fill(names, models.map((each) => h("option", { value: each.name }))), () => {}); // without them, names are typed
  const id = address.get("id");
  if (id) {
    history.replaceState(null, "", "/ui/log");
    details(await get(`/predictions/${encodeURIComponent(id)}`)).catch((error) => showProblem(trouble, error));
  }
}

start().catch((error) => failed(place, error));

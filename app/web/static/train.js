// From a file to a version: the report, the recipe, the training. The address holds the dataset or the
// job, so that a reload continues there; `again` is a job whose order is repeated.

import { Problem, all, call, get, query, reach } from "./api.js";
import { fill, h, newId, say } from "./dom.js";
import { dropZone } from "./drop.js";
import { Field, failed, select, showProblem } from "./fields.js";
import { bytes } from "./format.js";
import { JobWatch } from "./job.js";
import { OrderForm, describeDataset } from "./order.js";
import { colour, draw, figure, plain } from "./plot.js";
import { doubts, guessTable, inASentence, leftOut, textFacts, warningsOf } from "./report.js";

const place = document.getElementById("train");
const state = { file: null, read: {}, dataset: null, earlier: [], model: null, again: null };
const bar = h("div", { class: "bottom" }); // with the button that orders the training
let earlier = null; // earlier uploads, being fetched

const parts = {
  file: section("Data", "sr"),
  report: section("What was read", "sr"),
  order: section("Model"),
};

function section(title, look = "") {
  const heading = h("h2", { id: newId("step"), tabindex: "-1", class: look }, title);
  const body = h("div");
  return { heading, body, whole: h("section", { "aria-labelledby": heading.id, hidden: true }, heading, body) };
}

async function start() {
  const address = new URLSearchParams(location.search);
  if (address.get("job")) return watch(address.get("job"));
  const again = address.get("again");
  state.again = again && (await get(`/jobs/${encodeURIComponent(again)}`));
  state.model = address.get("model") ?? state.again?.model;
  fill(place, Object.values(parts).map((part) => part.whole), bar);
  parts.file.whole.hidden = false;
  showFilePart();
  const dataset = address.get("dataset") ?? state.again?.dataset;
  if (dataset) understood(await get(`/datasets/${dataset}`));
}

// 1. The file

const uploadTrouble = h("div", { "aria-live": "polite" });

function showFilePart() {
  const place = h("div");
  fill(
    parts.file.body,
    (state.zone = dropZone({
      title: "Drop a CSV, a spreadsheet or a text here",
      hint: "or press to choose a file",
      onfile: (file) => {
        state.read = {};
        upload(file);
      },
    })),
    h("div", { class: "row", role: "status" }, (state.busy = h("p", { class: "quiet", hidden: true }))),
    uploadTrouble,
    place,
  );
  earlier = showEarlier(place).catch((error) => showProblem(uploadTrouble, error));
}

// Earlier uploads, newest first; older ones on request.
async function showEarlier(element) {
  const choice = h("select", {}, h("option", { value: "" }, "–"));
  const field = new Field({ name: "dataset", label: "or use an earlier upload", input: choice });
  const older = h("button", { type: "button", class: "tight", hidden: true }, "Older uploads");
  const add = async (cursor) => {
    const page = await get(`/datasets${query({ limit: 20, cursor })}`);
    state.earlier.push(...page.items);
    choice.append(...page.items.map((each) => h("option", { value: each.id, selected: each.id === state.dataset?.id }, describeDataset(each))));
    older.hidden = !page.next;
    older.onclick = () => add(page.next).catch((error) => showProblem(uploadTrouble, error));
  };
  await add(null);
  if (!state.earlier.length) return;
  choice.addEventListener("change", () => choice.value && takeEarlier(choice.value));
  fill(element, h("details", {}, h("summary", {}, "Earlier uploads"), field.element, older));
}

async function takeEarlier(id) {
  const own = (state.upload = {});
  state.busy.hidden = true;
  try {
    const dataset = await get(`/datasets/${id}`);
    if (own !== state.upload) return;
    state.file = null;
    understood(dataset);
  } catch (error) {
    if (own === state.upload) refused(error);
  }
}

async function upload(file) {
  const own = (state.upload = {}); // the latest request counts, whichever answer comes first
  state.file = file;
  parts.order.whole.inert = bar.inert = true; // until it matches the current reading
  showProblem(uploadTrouble, null);
  state.busy.hidden = false;
  state.busy.textContent = `Reading ${file.name} (${bytes(file.size)}) …`;
  const form = new FormData();
  form.append("file", file);
  if (Object.keys(state.read).length) form.append("read", JSON.stringify(state.read));
  try {
    const dataset = await call("POST", "/datasets", { form });
    if (own === state.upload) understood(dataset);
  } catch (error) {
    if (own === state.upload) refused(error);
  }
  if (own === state.upload) state.busy.hidden = true;
}

// A file that cannot be used: why, the report so far, and what to change.
function refused(error) {
  const { touched } = state;
  parts.order.whole.inert = bar.inert = false;
  showProblem(uploadTrouble, error);
  const report = error.body?.report;
  if (!report && touched) return besideGuess(touched, error); // the input was invalid
  state.dataset = null;
  parts.order.whole.hidden = bar.hidden = true;
  parts.report.whole.hidden = !report;
  if (!report) return;
  fill(parts.report.body, h("div", { class: "card" }, h("p", {}, "This was understood so far. Correct it below, and the file is read again."), doubts(report, settle), warningsOf(report), guessTable(report, state.read, changeGuess)));
  returnTo(parts.report.heading);
  if (touched) besideGuess(touched, error);
}

function besideGuess(name, error) {
  const input = parts.report.body.querySelector(`[data-guess="${name}"]`);
  input.parentElement.querySelector(".field-error")?.remove();
  input.setAttribute("aria-invalid", "true");
  const own = error.errors.find((each) => each.field === `read.${name}`);
  input.after(h("p", { class: "field-error", role: "alert" }, own && input.title ? `Should be ${input.title}.` : (own ?? error).message));
  state.touched = null;
}

function changeGuess(name, value) {
  state.touched = name;
  if (value === undefined) delete state.read[name];
  else state.read[name] = value;
  readAgain();
}

function settle(options) {
  Object.assign(state.read, options);
  readAgain();
}

async function readAgain() {
  try {
    upload(await theFile(state.dataset));
  } catch (error) {
    showProblem(uploadTrouble, error);
  }
}

// As it was chosen here or, after a reload, as it was uploaded.
async function theFile(dataset) {
  if (state.file) return state.file;
  const answer = await reach(`/datasets/${dataset.id}/file`);
  if (!answer.ok) throw new Problem(await answer.json());
  return new File([await answer.blob()], dataset.filename ?? dataset.kind);
}

// 2. The report

function understood(dataset) {
  state.dataset = dataset;
  state.read = { ...dataset.read };
  showProblem(uploadTrouble, null);
  history.replaceState(null, "", `/ui/train${query({ dataset: dataset.id, model: state.model, again: state.again?.id })}`);
  const { report } = dataset;
  parts.report.whole.hidden = false;
  const look = h("div");
  const change = dataset.extends ? null : changeGuess;
  state.zone.classList.add("slim");
  state.zone.querySelector("strong").textContent = "Drop another file, or press to choose one";
  state.target = report.kind === "series" ? targetField(report) : null;
  fill(
    parts.report.body,
    h(
      "div",
      { class: "card" },
      h("p", {}, h("strong", {}, dataset.filename ?? "Dataset"), ": ", inASentence(report)),
      doubts(report, change && settle),
      look,
      warningsOf(report),
      h(
        "details",
        { class: "guesses", open: Boolean(state.touched || parts.report.body.querySelector(".guesses")?.open) },
        h("summary", {}, "How it was read"),
        change ? h("p", { class: "hint" }, h("a", { href: `/datasets/${dataset.id}/file`, download: dataset.filename ?? "" }, "Download the original file")) : h("p", { class: "hint" }, "It was joined from two uploads with their own options."),
        guessTable(report, state.read, change),
      ),
      h("details", {}, h("summary", {}, "Rows left out, outliers"), leftOut(report)),
    ),
  );
  showLook(look, dataset).catch((error) => failed(look, error));
  showOrder().catch((error) => {
    parts.order.whole.inert = bar.inert = false;
    failed(parts.order.body, error);
  });
  say(`Understood: ${inASentence(report)}`);
  returnTo(parts.report.heading);
}

// After an option was changed the focus stays there; otherwise it moves to what is new.
function returnTo(heading) {
  const touched = state.touched && parts.report.body.querySelector(`[data-guess="${state.touched}"]`);
  state.touched = null;
  (touched || heading).focus({ preventScroll: Boolean(touched) });
}

function targetField(report) {
  const columns = [report.target, ...report.target_alternatives].filter(Boolean);
  const again = columns.includes(state.again?.target) ? state.again.target : report.target;
  const input = select(columns.map((each) => [each, each]), again);
  return new Field({ name: "target", label: "Column to predict", hint: report.target ? null : "No column looks like a measurement.", input });
}

// A few lines, a few hundred characters.
function beginning(text) {
  const shown = text.split("\n").slice(0, 8).join("\n").slice(0, 400);
  return shown.length < text.trimEnd().length ? `${shown} …` : shown;
}

async function showLook(element, dataset) {
  if (dataset.kind === "text") {
    const glance = await get(`/datasets/${dataset.id}/values`);
    fill(element, textFacts(dataset.report), h("blockquote", { class: "written" }, beginning(glance.text)));
    return;
  }
  const { target } = state;
  const labels = dataset.report.series.map((each) => each.label);
  const label = new Field({ name: "series", label: "Series shown", input: select(labels.map((each) => [each, each]), labels[0]) });
  const picture = figure({ caption: "The column to predict", size: "mid", label: "Line chart of the values that were read" });
  const show = async () => {
    const column = target.input.value;
    const glance = await get(`/datasets/${dataset.id}/values${query({ column, series: labels.length > 1 ? label.input.value : null })}`);
    if (column !== target.input.value) return; // chosen meanwhile
    const x = glance.times ?? glance.values.map((_, row) => row + 1);
    draw(
      picture.element,
      () => [{ name: plain(glance.column), x, y: glance.values, mode: "lines", line: { color: colour("forecast"), width: 1.8 }, connectgaps: false }],
      () => ({ showlegend: false }),
    );
  };
  const changed = () => show().catch((error) => failed(picture.whole, error));
  target.input.addEventListener("change", () => {
    state.form?.retarget();
    changed();
  });
  label.input.addEventListener("change", changed);
  picture.whole.firstChild.remove(); // the field above says it
  fill(element, h("div", { class: "fields" }, target.element, labels.length > 1 && label.element), picture.whole);
  await show();
}

// 3. The order

async function showOrder() {
  const { dataset, again, upload: own } = state;
  const overtaken = () => state.dataset !== dataset || state.upload !== own; // or will be
  const [recipes, models, test] = await Promise.all([get("/recipes"), all("/models"), again?.test && get(`/datasets/${again.test}`), earlier]);
  if (overtaken()) return;
  const form = new OrderForm({
    dataset,
    recipes,
    models,
    datasets: test ? [test, ...state.earlier.filter((each) => each.id !== test.id)] : state.earlier,
    model: state.model,
    again,
    target: state.target,
    fileOf: theFile,
    onordered: (job) => {
      history.pushState(null, "", `/ui/train?job=${job.id}`);
      watch(job.id);
    },
  });
  await form.showKnown();
  if (overtaken()) return;
  state.form = form;
  parts.order.whole.hidden = bar.hidden = false;
  parts.order.whole.inert = bar.inert = false;
  fill(parts.order.body, form.element);
  fill(bar, form.bar);
}

// 4. The training

async function watch(id) {
  const job = new JobWatch(id);
  fill(place, job.element, h("p", {}, h("a", { href: "/ui/train" }, "Train another"), " · ", h("a", { href: "/ui/jobs" }, "All jobs")));
  try {
    const { model } = await job.start();
    document.querySelector("h1").textContent = `Training ${model}`;
  } catch (error) {
    failed(place, error);
  }
}

window.addEventListener("popstate", () => location.reload());
start().catch((error) => failed(place, error));

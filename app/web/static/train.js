// From a file to a version: what was understood, the recipe, the training watched. The address keeps
// the dataset or the job, so that a reload goes on where it was.

import { call, find, get, query } from "./api.js";
import { fill, h, newId, put, say } from "./dom.js";
import { dropZone } from "./drop.js";
import { Field, failed, select, showProblem } from "./fields.js";
import { ago, bytes, count } from "./format.js";
import { JobWatch } from "./job.js";
import { colour, draw, figure, plain } from "./plot.js";
import { RecipeForm } from "./recipe.js";
import { columnTable, guessTable, inASentence, leftOut, textFacts, warningsOf } from "./report.js";

const place = document.getElementById("train");
const state = { file: null, read: {}, dataset: null, models: [] };

const parts = {
  file: section("Your file"),
  report: section("What was understood"),
  order: section("What to train"),
};

function section(title) {
  const heading = h("h2", { id: newId("step"), tabindex: "-1" }, title);
  const body = h("div");
  return { heading, body, whole: h("section", { "aria-labelledby": heading.id, hidden: true }, heading, body) };
}

async function start() {
  const address = new URLSearchParams(location.search);
  if (address.get("job")) return watch(address.get("job"));
  fill(place, h("div", { class: "steps" }, Object.values(parts).map((part) => part.whole)));
  parts.file.whole.hidden = false;
  showFilePart();
  if (address.get("dataset")) understood(await get(`/datasets/${address.get("dataset")}`));
}

// 1. The file

const uploadTrouble = h("div", { "aria-live": "polite" });

function showFilePart() {
  const earlier = h("div");
  fill(
    parts.file.body,
    dropZone({
      title: "Drop a CSV, a spreadsheet or a text here",
      hint: "or press to choose a file. Dates, decimal commas, semicolons and gaps are recognised.",
      onfile: (file) => {
        state.read = {};
        upload(file);
      },
    }),
    h("div", { class: "row", role: "status" }, (state.busy = h("p", { class: "quiet", hidden: true }))),
    uploadTrouble,
    earlier,
  );
  showEarlier(earlier).catch((error) => showProblem(uploadTrouble, error));
}

async function showEarlier(element) {
  const { items } = await get("/datasets?limit=20");
  if (!items.length) return;
  const field = new Field({
    name: "dataset",
    label: "or take a dataset that was uploaded before",
    input: select([["", "–"], ...items.map((each) => [each.id, `${each.filename ?? each.kind} · ${each.rows_used === null ? bytes(each.size_bytes) : `${count(each.rows_used)} rows`} · ${ago(each.created_at)}`])], state.dataset?.id),
  });
  field.input.addEventListener("change", async () => {
    if (!field.input.value) return;
    state.file = null;
    understood(await get(`/datasets/${field.input.value}`));
  });
  fill(element, h("details", { open: false }, h("summary", {}, "Uploaded before"), field.element));
}

async function upload(file) {
  state.file = file;
  showProblem(uploadTrouble, null);
  state.busy.hidden = false;
  state.busy.textContent = `Reading ${file.name} (${bytes(file.size)}) …`;
  const form = new FormData();
  form.append("file", file);
  if (Object.keys(state.read).length) form.append("read", JSON.stringify(state.read));
  try {
    understood(await call("POST", "/datasets", { form }));
  } catch (error) {
    refused(error);
  }
  state.busy.hidden = true;
}

// A file that cannot be used as it was read: why, how far the reading came, and what to say instead.
function refused(error) {
  state.dataset = null;
  parts.order.whole.hidden = true;
  showProblem(uploadTrouble, error);
  const report = error.body?.report;
  parts.report.whole.hidden = !report;
  if (!report) return;
  fill(parts.report.body, h("div", { class: "card" }, h("p", {}, "So far this was understood. Say below what is otherwise, and the file is read again."), guessTable(report, state.read, changeGuess)));
  returnTo(parts.report.heading);
}

function changeGuess(name, value) {
  state.touched = name;
  if (value === undefined) delete state.read[name];
  else state.read[name] = value;
  upload(state.file);
}

// 2. The report

function understood(dataset) {
  state.dataset = dataset;
  state.read = { ...dataset.read };
  showProblem(uploadTrouble, null);
  history.replaceState(null, "", `/ui/train?dataset=${dataset.id}`);
  const { report } = dataset;
  parts.report.whole.hidden = false;
  const look = h("div");
  fill(
    parts.report.body,
    h(
      "div",
      { class: "card" },
      h("p", {}, h("strong", {}, dataset.filename ?? "Dataset"), ": ", inASentence(report)),
      warningsOf(report),
      look,
      h(
        "details",
        { class: "guesses", open: report.warnings.length > 0 || Boolean(state.touched || parts.report.body.querySelector(".guesses")?.open) },
        h("summary", {}, "How it was read, and how to change that"),
        state.file ? null : h("p", { class: "hint" }, "To have it read otherwise, choose the file again above: this page no longer has it."),
        guessTable(report, state.read, state.file ? changeGuess : null),
      ),
      report.columns.length > 0 && h("details", {}, h("summary", {}, "Columns"), columnTable(report)),
      h("details", {}, h("summary", {}, "Rows left out, odd values"), leftOut(report)),
    ),
  );
  showLook(look, dataset).catch((error) => failed(look, error));
  showOrder().catch((error) => failed(parts.order.body, error));
  say(`Understood: ${inASentence(report)}`);
  returnTo(parts.report.heading);
}

// After a guess was changed the keyboard stays with it; else it goes to what is new.
function returnTo(heading) {
  const touched = state.touched && parts.report.body.querySelector(`select[data-guess="${state.touched}"]`);
  state.touched = null;
  (touched || heading).focus({ preventScroll: Boolean(touched) });
}

async function showLook(element, dataset) {
  if (dataset.kind === "text") {
    const glance = await get(`/datasets/${dataset.id}/values`);
    fill(element, textFacts(dataset.report), h("blockquote", { class: "written" }, glance.text.slice(0, 400), glance.text.length > 400 ? " …" : ""));
    return;
  }
  const columns = dataset.report.columns.filter((each) => each.used).map((each) => each.name);
  const labels = dataset.report.series.map((each) => each.label);
  const column = select(columns.map((each) => [each, each]), dataset.report.target, { "aria-label": "Column shown" });
  const label = select(labels.map((each) => [each, each]), labels[0], { "aria-label": "Series shown" });
  const picture = figure({ caption: "The series as it was read", size: "mid", label: `Line chart of ${dataset.report.target}` });
  const show = async () => {
    const glance = await get(`/datasets/${dataset.id}/values${query({ column: column.value, series: labels.length > 1 ? label.value : null })}`);
    const x = glance.times ?? glance.values.map((_, row) => row + 1);
    draw(
      picture.element,
      () => [{ name: plain(glance.column), x, y: glance.values, mode: "lines", line: { color: colour("forecast"), width: 1.8 }, connectgaps: false }],
      () => ({ showlegend: false }),
    );
  };
  for (const input of [column, label]) {
    input.addEventListener("change", () => show().catch((error) => failed(picture.whole, error)));
    input.classList.add("narrow");
  }
  fill(element, h("div", { class: "row" }, columns.length > 1 && column, labels.length > 1 && label), picture.whole);
  await show();
}

// 3. The order

async function showOrder() {
  const { dataset } = state;
  const [recipes, models] = await Promise.all([get("/recipes"), get("/models?limit=200")]);
  if (state.dataset !== dataset) return;
  state.models = models.items;
  parts.order.whole.hidden = false;
  const names = h("datalist", { id: newId("names") }, state.models.filter((model) => model.kind === dataset.kind).map((model) => h("option", { value: model.name })));
  const name = new Field({
    name: "model",
    label: "Name of the model",
    hint: "A new name, or a model’s that is to get another version. Small letters, digits, dot, dash, underscore.",
    input: h("input", { value: nameFrom(dataset.filename), required: true, list: names.id, spellcheck: "false", autocomplete: "off" }),
  });
  const fields = [name];
  const row = h("div", { class: "fields" }, name.element, names);
  const series = dataset.kind === "series";
  let target = null;
  if (series) {
    const { report } = dataset;
    target = new Field({
      name: "target",
      label: "Column to predict",
      hint: "The first numeric column is suggested.",
      input: select([report.target, ...report.target_alternatives].map((each) => [each, each]), report.target),
    });
    fields.push(target);
    put(row, target.element);
  }
  const test = new Field({
    name: "test",
    label: "A second file to be judged on (optional)",
    hint: "Without one the last part of the data is held out and judged on.",
    input: h("input", { type: "file" }),
  });
  fields.push(test);
  put(row, test.element);
  const recipePlace = h("div");
  let recipe = null;
  const showRecipe = async () => {
    const known = state.models.find((model) => model.name === name.input.value.trim());
    const version = known?.champion && (await find(`/models/${known.name}/versions/${known.champion.version}`));
    recipe = new RecipeForm({ recipes, kind: dataset.kind, champion: version?.manifest.recipe ?? null });
    fill(recipePlace, recipe.element);
  };
  name.input.addEventListener("change", showRecipe);
  await showRecipe();
  const trouble = h("div");
  const go = h("button", { class: "primary", type: "submit" }, "Train");
  const form = h("form", { class: "card", novalidate: true }, row, recipePlace, trouble, go);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    const places = [...fields, ...recipe.fields];
    showProblem(trouble, null, places);
    try {
      const job = await order({ dataset, name: name.input.value.trim(), target: target?.input.value, recipe: recipe.value(), test: test.input.files[0] });
      history.pushState(null, "", `/ui/train?job=${job.id}`);
      watch(job.id);
    } catch (error) {
      showProblem(trouble, error, places);
    }
    go.disabled = false;
  });
  fill(parts.order.body, form);
}

function order({ dataset, name, target, recipe, test }) {
  const form = new FormData();
  form.append("dataset", dataset.id);
  if (target) form.append("target", target);
  if (recipe) form.append("recipe", JSON.stringify(recipe));
  if (test) form.append("test", test);
  return call("POST", `/models/${encodeURIComponent(name || " ")}/train`, { form });
}

function nameFrom(filename) {
  const stem = (filename ?? "").replace(/\.[^.]*$/, "").toLowerCase();
  return stem.replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "").slice(0, 60) || "my-model";
}

// 4. The training

async function watch(id) {
  const job = new JobWatch(id);
  fill(place, job.element, h("p", {}, h("a", { href: "/ui/train" }, "Train another"), " · ", h("a", { href: "/ui/jobs" }, "All jobs")));
  try {
    const { model } = await job.start();
    document.querySelector("h1").textContent = `Training ${model}`;
    document.title = `Training ${model} · Stepahead`;
  } catch (error) {
    failed(place, error);
  }
}

window.addEventListener("popstate", () => location.reload());
start().catch((error) => failed(place, error));

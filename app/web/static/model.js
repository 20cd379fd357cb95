// A model: what is served, how good it is, its versions, and its alias history.

import { MOST_OF_A_PAGE, find, findAllowed, get, query } from "./api.js";
import { facts, fill, h, put, table } from "./dom.js";
import { failed, select, showProblem } from "./fields.js";
import { bytes, calendar, capital, count, duration, figure as number, frequency, recipeInWords, signed, when } from "./format.js";
import { colour, draw, figure } from "./plot.js";
import { bigNumbers, heldOutPicture, heldOutResiduals, reasonOf, scorecardFigures, sentence } from "./scorecard.js";
import { heroPicture } from "./hero.js";
import { tabList } from "./tabs.js";

const place = document.getElementById("model");
const name = document.body.dataset.model;

async function show() {
  const model = await get(`/models/${name}`);
  const wanted = Number(new URLSearchParams(location.search).get("version")) || model.champion?.version || model.last_version;
  const [version, { items: known }, moves] = await Promise.all([get(`/models/${name}/versions/${wanted}`), get(`/models/${name}/versions?limit=${MOST_OF_A_PAGE}`), findAllowed(`/models/${name}/moves?limit=20`)]);
  const before = moves?.items.find((each) => each.alias === "champion")?.from_version; // the champion before this one
  place.removeAttribute("aria-busy");
  const tabs = tabList("About the model", [
    ...(version.scorecard.series?.curve.length ? [["forecast", "Forecast", () => h("div", { class: "card" }, heroPicture(version))]] : []),
    ["accuracy", "Accuracy", () => [part("Compared with simple forecasts", scorecardFigures(version)), heldOutResiduals(version, part), later(async () => (await import("./evaluated.js")).evaluations(version, part))]],
    ["versions", "Versions", () => [versions(model, version, known), later(async () => new (await import("./compared.js")).Comparisons({ model, version, part }).element), past(), erasure(model)]],
    ["training", "Training", () => h("div", { class: "grid2" }, part("Training", trainingCurve(version)), about(version))],
    ["monitoring", "Monitoring", () => inUse(model)],
    ["explain", "Explain", () => explain(version, reference(model, version))],
  ]);
  fill(place, header(model, version, { known, before: known.find((each) => each.version === before && !each.deleted_at)?.version }), tabs.element);
  tabs.start();
}

// Made by a script that the page does not need before.
function later(make) {
  const element = h("div");
  make().then((made) => fill(element, made), (error) => showProblem(element, error));
  return element;
}

async function move(given) {
  const { moveAlias } = await import("./promote.js");
  return moveAlias({ ...given, done: show });
}

function part(title, ...children) {
  const id = `part-${title.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), children);
}

const isForAny = (version) => version.manifest.series?.periods > 0; // without training
const reference = (model, version) => (version.version === model.champion?.version ? name : `${name}@${version.version}`);

// The version, what it is worth, and what can be done with it.
function header(model, version, { known, before }) {
  const isChampion = version.version === model.champion?.version;
  const actions = h("div", { class: "acts" }, h("a", { class: "button primary", href: `/ui/try${query({ model: reference(model, version) })}` }, "Try"));
  if (!isChampion && !version.deleted_at) put(actions, promoteButton(model, version.version));
  if (isChampion && before) put(actions, promoteButton(model, before));
  if (!isForAny(version)) put(actions, h("a", { class: "button", href: `/ui/train${query({ model: name })}` }, "Train another version"));
  return h(
    "div",
    { class: "card" },
    h(
      "div",
      { class: "row spread" },
      h("div", { class: "row" }, h("h2", { class: "version" }, `Version ${version.version}`), known.length > 1 && switcher(version, known), version.aliases.map((alias) => h("span", { class: `badge ${alias === "champion" ? "champion" : "busy"}` }, alias)), h("span", { class: "badge" }, model.kind)),
      actions,
    ),
    sentence(version.scorecard.verdict),
    bigNumbers(version),
    version.scorecard.skill === null && h("p", { class: "hint" }, capital(version.scorecard.skill_missing ?? "")),
  );
}

function switcher(version, known) {
  const words = (each) => `${each.version}${each.aliases.map((alias) => `, ${alias}`).join("")}${each.skill === null ? "" : `, skill ${signed(each.skill)}`}`;
  const choice = select(known.map((each) => [each.version, words(each)]), version.version, { "aria-label": "Version", class: "narrow" });
  choice.addEventListener("change", () => location.assign(`/ui/models/${name}?version=${choice.value}${location.hash}`));
  return choice;
}

function inUse(model) {
  const body = h("div");
  const show = async () => {
    const monitor = await find(`/models/${name}/monitor`);
    const live = monitor?.versions.find((each) => each.role === "served" && each.version === model.champion?.version);
    fill(
      body,
      facts(
        [
          ["Live skill", live?.forecasts ? signedOrNone(live.skill) : model.kind === "series" ? "no actual values yet" : "texts have no actual values"],
          ["On the scorecard", live ? signedOrNone(live.measured_skill) : null],
          ["Forecasts with actual values", live ? count(live.forecasts) : null],
          ["Requests", live ? count(live.requests) : "none"],
        ],
        "numbers",
      ),
    );
  };
  show().catch((error) => showProblem(body, error));
  return part("The champion in use", body, h("p", { class: "acts" }, h("a", { class: "button", href: `/ui/monitor${query({ model: name })}` }, "Open the monitor"), h("a", { class: "button", href: `/ui/log${query({ model: name })}` }, "Log of predictions")));
}

const signedOrNone = (skill) => (skill === null ? "–" : signed(skill));

function explain(version, asked) {
  const memory = h("div");
  import("./memory.js").then(({ showMemory }) => showMemory(memory, name, version.version)).catch((error) => showProblem(memory, error));
  return part("Explain", memory, h("p", { class: "acts" }, h("a", { class: "button", href: `/ui/look${query({ model: asked })}` }, "Look inside a prediction")));
}

function trainingCurve(version) {
  const { epochs, best_epoch: best } = version.scorecard;
  if (epochs.length < 2) return h("p", { class: "quiet" }, "This version has no training curve.");
  const curve = figure({ caption: `Loss by epoch, in scaled units; epoch ${best} was kept`, label: "Training loss by epoch", size: "mid" });
  draw(
    curve.element,
    () => {
      const x = epochs.map((each) => each.epoch);
      const line = (title, key, style) => ({ name: title, x, y: epochs.map((each) => each[key]), mode: "lines", line: style });
      const traces = [line("loss", "loss", { color: colour("forecast"), width: 2 })];
      if (epochs.some((each) => each.validation_loss !== null)) traces.push(line("validation loss", "validation_loss", { color: colour("actual"), width: 1.5, dash: "dot" }));
      if (epochs.some((each) => each.gradient_norm !== null)) traces.push({ ...line("gradient norm", "gradient_norm", { color: colour("persistence"), width: 1.5 }), visible: "legendonly" });
      return traces;
    },
    () => ({ yaxis: { type: "log", exponentformat: "none", nticks: 6 }, xaxis: { title: { text: "epoch" } }, showlegend: true }),
  );
  return curve.whole;
}

function promoteButton(model, number) {
  const back = number < (model.champion?.version ?? 0);
  const button = h("button", { type: "button" }, back ? `Roll back to ${number}` : `Promote ${number}`);
  button.addEventListener("click", () => move({ model, number, alias: "champion" }));
  return button;
}

function versions(model, shown, known) {
  const list = h("div");
  const order = select([["newest", "newest first"], ["skill", "best skill first"]], "newest", { "aria-label": "Order of the versions", class: "narrow" });
  const show = () => {
    const rows = order.value === "skill" ? known.toSorted((a, b) => (b.skill ?? -Infinity) - (a.skill ?? -Infinity)) : known;
    fill(
      list,
      table({
        caption: `Versions of ${name}`,
        head: ["Version", "Verdict", { label: "Skill", class: "num" }, "Recipe and data", "Created", "Decision", "Actions"],
        rows: rows.map((each) => ({ self: each.version === shown.version, cells: versionCells(model, each) })),
        stacked: true,
      }),
    );
  };
  order.addEventListener("change", show);
  show();
  return part("Versions", known.length > 2 && h("p", {}, order), list, known.length === MOST_OF_A_PAGE && h("p", { class: "hint" }, `The newest ${MOST_OF_A_PAGE}.`), known.length > 1 && later(async () => (await import("./overlay.js")).overlay(name, known)));
}

function versionCells(model, each) {
  const act = h("span", { class: "acts" });
  if (!each.deleted_at && !each.aliases.includes("champion")) {
    const button = promoteButton(model, each.version);
    button.classList.add("tight");
    act.append(button);
  }
  if (!each.deleted_at && !each.aliases.length && model.kind === "series") {
    const shadow = h("button", { type: "button", class: "tight" }, "Shadow");
    shadow.addEventListener("click", () => move({ model, number: each.version, alias: "shadow" }));
    act.append(shadow);
  }
  return [
    [h("a", { href: `/ui/models/${name}?version=${each.version}` }, String(each.version)), " ", each.aliases.map((alias) => h("span", { class: `badge ${alias === "champion" ? "champion" : "busy"}` }, alias))],
    each.verdict,
    [each.skill === null ? "–" : signed(each.skill), each.significance === "within noise" && h("div", { class: "quiet small" }, "within noise")],
    [recipeInWords(each.recipe), h("div", { class: "small" }, each.dataset ? h("a", { href: `/ui/train?dataset=${each.dataset}` }, "training data") : "shipped")],
    when(each.created_at),
    each.deleted_at ? `deleted ${when(each.deleted_at)}` : reasonOf(each.decision, each.verdict),
    act.children.length > 0 && act,
  ];
}

function about(version) {
  const { manifest, lineage } = version;
  const series = manifest.series;
  return part(
    "About this version",
    facts([
      ["Recipe", recipeInWords(manifest.recipe)],
      ["Inputs", series ? [...series.features.map((each) => each.name), ...series.columns.filter((each) => each.role === "calendar").map((each) => `${each.name} (from the times)`)].join(", ") : `${count(manifest.text.vocabulary.length)} different tokens`],
      ["Predicts", series?.target],
      ["Step", series && frequency(series.frequency)],
      ["Calendar", series && calendar(series.calendar)],
      ["Needs", `${count(manifest.min_history)} past ${series ? "values" : "tokens"}`],
      ["Trained", `${when(manifest.trained_at)}, in ${duration(manifest.training_seconds)}`],
      ["Data", lineage.dataset ? [h("a", { href: `/ui/train?dataset=${lineage.dataset}` }, "preflight report"), lineage.test_dataset && [", judged on ", h("a", { href: `/ui/train?dataset=${lineage.test_dataset}` }, "another")]] : "shipped with Stepahead"],
      ["Training", lineage.job ? h("a", { href: `/ui/train?job=${lineage.job}` }, "the job") : null],
      ["Started from", lineage.start_from],
      ["Seed", manifest.seed],
      ["Final loss", number(version.scorecard.final_loss)],
    ]),
    h("details", {}, h("summary", {}, "The whole recipe"), h("pre", { class: "code", tabindex: "0" }, JSON.stringify(manifest.recipe, null, 1))),
    version.files.length > 0 && [h("h3", {}, "Download"), h("ul", { class: "small" }, h("li", {}, h("a", { href: `/models/${name}/versions/${version.version}/report` }, "Report to print")), version.files.map((file) => h("li", {}, h("a", { href: file.url, download: file.name }, file.name), ` (${bytes(file.size_bytes)})`)))],
  );
}

function erasure(model) {
  const button = h("button", { type: "button", class: "danger" }, "Delete the model …");
  button.addEventListener("click", async () => (await import("./erase.js")).eraseModel(model));
  return h("p", { class: "acts gap" }, button);
}

function past() {
  const list = h("ol", { class: "timeline" });
  const whole = part("Alias history", list);
  const add = async (cursor = null) => {
    const page = await get(`/models/${name}/moves${query({ limit: 20, cursor })}`);
    put(list, page.items.map(moved));
    if (!page.next) return;
    const more = h("button", { type: "button" }, "Older entries");
    more.addEventListener("click", () => {
      more.remove();
      add(page.next).catch((error) => failed(list, error));
    });
    whole.append(more);
  };
  add().catch((error) => failed(list, error));
  return whole;
}

const moved = (each) =>
  h(
    "li",
    {},
    h("p", {}, h("strong", {}, each.alias), each.from_version ? `: ${each.from_version} → ${each.to_version}` : ` → ${each.to_version}`),
    h("p", { class: "small" }, each.reason || "no reason given"),
    h("p", { class: "quiet small" }, `${each.moved_by}, ${when(each.moved_at)}`),
  );

show().catch((error) => failed(place, error));

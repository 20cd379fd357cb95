// The models, those that win first, each with its last forecasts.

import { all, call, find, get, query, reach } from "./api.js";
import { fill, h, put, say, withCode } from "./dom.js";
import { dropZone } from "./drop.js";
import { failed, select, showProblem } from "./fields.js";
import { ago, capital, count, plural, signed } from "./format.js";
import { sparkline } from "./spark.js";

const SAMPLE = "seattle-weather";
const LAST = 60, FEWEST = 8, MOST_ACTUALS = 200;
const SEARCHED_FROM = 6; // fewer are found without
const ORDERS = {
  best: ["best first", (a, b) => rank(a) - rank(b) || (b.champion?.skill ?? 0) - (a.champion?.skill ?? 0) || byName(a, b)],
  name: ["by name", (a, b) => byName(a, b)],
  newest: ["newest first", (a, b) => b.created_at.localeCompare(a.created_at)],
};

const byName = (a, b) => a.name.localeCompare(b.name);

const place = document.getElementById("models");

async function show() {
  const models = await all("/models");
  place.removeAttribute("aria-busy");
  const own = models.some((model) => model.champion?.dataset);
  fill(document.getElementById("upload"), own ? null : trySample(), drop(own));
  if (!models.length) return fill(place);
  const list = h("ul", { class: "models" });
  const cards = new Map(models.map((model) => [model, card(model)]));
  const search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search models" });
  const order = select(Object.entries(ORDERS).map(([key, [label]]) => [key, label]), "best", { "aria-label": "Order of the models" });
  const arrange = () => {
    const wanted = search.value.trim().toLowerCase();
    const found = models.filter((model) => model.name.includes(wanted)).sort(ORDERS[order.value][1]);
    fill(list, found.length ? found.map((model) => cards.get(model)) : h("li", { class: "quiet" }, "No model has this in its name."));
  };
  search.addEventListener("input", arrange);
  order.addEventListener("change", arrange);
  arrange();
  fill(place, models.length >= SEARCHED_FROM && h("div", { class: "row arrange" }, search, order), list);
}

// Better than the best of the simple forecasts; no better; not judged; worse; not served.
function rank({ champion }) {
  if (!champion) return 4;
  if (champion.skill === null || champion.judged_on === "training") return 2;
  if (champion.verdict.startsWith("better")) return 0;
  return champion.verdict.startsWith("worse") ? 3 : 1;
}

const PILLS = [["good", "better"], ["", "no better"], ["quiet", "not judged"], ["bad", "worse"], ["quiet", "no champion"]];

function pill(model) {
  const [kind, words] = PILLS[rank(model)];
  const skill = [0, 1, 3].includes(rank(model)) ? `, skill ${signed(model.champion.skill)}` : "";
  return h("span", { class: `badge ${kind}` }, words, skill);
}

function card(model) {
  const { champion, name } = model;
  const picture = h("div", { class: "glance" });
  const use = h("p", { class: "quiet small" });
  const item = h(
    "li",
    { class: "card model" },
    h("div", { class: "row spread" }, h("h2", {}, h("a", { href: `/ui/models/${name}` }, name)), pill(model)),
    picture,
    h("p", { class: "verdict", title: champion?.verdict }, champion ? withCode(`${capital(champion.verdict)}.`) : "No champion, so nothing is served."),
    h("div", { class: "row spread" }, use, h("a", { class: "button tight", href: `/ui/try${query({ model: name })}`, "aria-label": `Try ${name}` }, "Try")),
  );
  whenSeen(item, () => {
    inUse(model).then((words) => (use.textContent = words), () => {});
    if (champion && model.kind === "series") lastForecasts(model).then((found) => found && fill(picture, sparkline(...found)), () => {});
  });
  return item;
}

function whenSeen(element, act) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((each) => each.isIntersecting)) return;
    observer.disconnect();
    act();
  });
  observer.observe(element);
}

// Those in use whose actual values are known; otherwise those of the scorecard.
async function lastForecasts({ name, champion }) {
  const [log, actuals] = await Promise.all([get(`/predictions${query({ model: name, limit: LAST })}`), get(`/models/${name}/actuals${query({ limit: MOST_ACTUALS })}`)]);
  const known = new Map(actuals.items.map((each) => [keyOf(each.series, each.timestamp), each.value]));
  const live = log.items.filter((each) => each.request.live !== false).toReversed().map((each) => {
    const [step] = each.response?.predictions ?? [];
    return { forecast: step?.value, actual: known.get(keyOf(each.series, step?.timestamp)) };
  });
  const settled = live.filter((each) => each.actual !== undefined);
  if (settled.length >= FEWEST) return [settled, `last ${count(settled.length)} in use`];
  const version = await find(`/models/${name}/versions/${champion.version}`);
  const curve = version?.scorecard.series?.curve ?? [];
  const own = curve.filter((each) => each.series === curve.at(-1).series).slice(-LAST);
  return own.length >= FEWEST ? [own, `last ${count(own.length)} judged`] : null;
}

const keyOf = (series, time) => `${series ?? ""} ${time?.replace(/T00:00(:00)?$/, "")}`;

async function inUse(model) {
  const monitor = await find(`/models/${model.name}/monitor`);
  const requests = plural((monitor?.versions ?? []).reduce((sum, each) => sum + each.requests, 0), "request");
  const figures = monitor?.versions.find((each) => each.role === "served" && each.version === model.champion?.version);
  const live = figures?.skill === null || !figures?.forecasts ? null : `live skill ${signed(figures.skill)}`;
  const made = model.champion?.dataset ? `trained ${ago(model.champion.created_at)}` : model.champion && "shipped";
  return [model.kind, made, requests, live].filter(Boolean).join(" · ");
}

// One click to a trained model, on a fresh installation.
function trySample() {
  const go = h("button", { class: "primary", type: "button" }, "Try it on sample data");
  const trouble = h("div");
  go.addEventListener("click", async () => {
    go.disabled = true;
    showProblem(trouble, null);
    try {
      const sample = await reach(`/ui/samples/${SAMPLE}.csv`);
      const form = new FormData();
      form.append("file", new File([await sample.blob()], `${SAMPLE}.csv`));
      const job = await call("POST", `/models/${SAMPLE}/train`, { form });
      location.assign(`/ui/train?job=${job.id}`);
    } catch (error) {
      showProblem(trouble, error);
      go.disabled = false;
    }
  });
  return h(
    "div",
    { class: "card sample" },
    h("h2", {}, "A first forecast"),
    h("p", {}, "Four years of Seattle’s weather, day by day. A model of the temperature is trained and judged, usually within a minute."),
    go,
    trouble,
  );
}

function drop(slim) {
  const trouble = h("div");
  const zone = dropZone({
    title: slim ? "Drop a table or a text, or press to choose a file" : "Upload your own",
    hint: "Drop a CSV, a spreadsheet or a text, or press to choose a file. Nothing is trained before you have seen how it was read.",
    onfile: async (file) => {
      showProblem(trouble, null);
      say(`Reading ${file.name}`);
      const form = new FormData();
      form.append("file", file);
      try {
        const dataset = await call("POST", "/datasets", { form });
        location.assign(`/ui/train?dataset=${dataset.id}`);
      } catch (error) {
        showProblem(trouble, error);
        put(trouble, h("p", {}, h("a", { href: "/ui/train" }, "Go to Train"), " to set how the file is read."));
      }
    },
  });
  if (slim) zone.classList.add("slim");
  return h("div", {}, zone, trouble);
}

show().catch((error) => failed(place, error));

// The models, each with its quality.

import { call, find, get, query } from "./api.js";
import { facts, fill, h, put, say } from "./dom.js";
import { dropZone } from "./drop.js";
import { failed, showProblem } from "./fields.js";
import { ago, count, plural, signed, when } from "./format.js";
import { skillBar } from "./skill.js";

const place = document.getElementById("models");
const AT_ONCE = 50;

async function show(cursor = null, list = h("ul", { class: "models" })) {
  try {
    const page = await get(`/models${query({ limit: AT_ONCE, cursor })}`);
    if (!cursor) fill(place, page.items.length ? list : h("p", {}, "No models yet. Upload a file and train the first."));
    put(list, page.items.map(card));
    place.removeAttribute("aria-busy");
    if (page.next) {
      const more = h("button", {}, "More models");
      more.addEventListener("click", () => {
        const first = list.children.length;
        more.remove();
        show(page.next, list).then(() => list.children[first]?.querySelector("a").focus());
      });
      place.append(more);
    }
  } catch (error) {
    failed(place, error);
  }
}

function card(model) {
  const { champion } = model;
  const use = h("div", {}, h("p", { class: "quiet small" }, "…"));
  const address = `/ui/models/${model.name}`;
  const item = h(
    "li",
    { class: "card model" },
    h(
      "div",
      {},
      h("h2", {}, h("a", { href: address }, model.name), " ", h("span", { class: "badge" }, model.kind)),
      h("p", { class: "verdict" }, champion ? champion.verdict : "No champion, so nothing is served."),
    ),
    champion ? skillBar(champion.skill, model.kind, { ends: true, noise: champion.significance === "within noise" }) : h("div"),
    use,
    h("div", { class: "acts" }, h("a", { class: "button", href: `/ui/try${query({ model: model.name })}`, "aria-label": `Try ${model.name}` }, "Try")),
  );
  inUse(model).then((pairs) => fill(use, facts(pairs)), () => fill(use));
  return item;
}

async function inUse(model) {
  const [monitor, jobs] = await Promise.all([
    find(`/models/${model.name}/monitor`),
    get(`/jobs${query({ model: model.name, limit: 1 })}`),
  ]);
  const job = jobs.items[0];
  const served = model.champion && `version ${model.champion.version}`;
  return [
    ["Champion", served],
    ["Live", live(model, monitor)],
    ["Requests", `${count(monitor?.requests_per_minute ?? 0)} in the last minute`],
    ["Trained", job ? h("a", { href: `/ui/train?job=${job.id}` }, training(job)) : made(model)],
  ];
}

// Without a job it is a shipped version.
const made = ({ champion }) => champion && h("span", { title: when(champion.created_at) }, "shipped with Stepahead");

function training(job) {
  if (job.status === "succeeded") return ago(job.finished_at);
  if (job.status === "running") return "training now";
  return job.status === "queued" ? "queued for training" : `last training ${job.status}`;
}

function live(model, monitor) {
  const figures = monitor?.versions.find((each) => each.role === "served" && each.version === model.champion?.version);
  if (!figures || !figures.forecasts || figures.skill === null) return model.kind === "series" ? "no actuals yet" : "not measured: texts have no actuals";
  const measured = figures.measured_skill === null ? "" : `, scorecard ${signed(figures.measured_skill)}`;
  return `skill ${signed(figures.skill)} over ${plural(figures.forecasts, "forecast")}${measured}`;
}

const drop = document.getElementById("drop");
const trouble = h("div");
drop.append(
  dropZone({
    title: "Drop a CSV of numbers over time, or a text",
    hint: "or press to choose a file. You see how it is understood before anything is trained.",
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
  }),
  trouble,
);

show();

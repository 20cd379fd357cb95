// Trainings: what waits, what runs, how others ended, in plain words.

import { call, get, query } from "./api.js";
import { dialog, facts, fill, h, table } from "./dom.js";
import { Field, failed, select, showProblem } from "./fields.js";
import { ago, duration, percent, recipeInWords, when } from "./format.js";
import { FINAL, badge, stageInWords } from "./job.js";
import { JobLog } from "./joblog.js";

const place = document.getElementById("jobs");
const LOOK_AGAIN = 2000;
const STATES = ["queued", "running", "succeeded", "failed", "cancelled"];

const list = h("div");
const trouble = h("div");
const address = new URLSearchParams(location.search);
const status = new Field({ name: "status", label: "State", input: select([["", "all"], ...STATES.map((each) => [each, each])], address.get("status")) });
const model = new Field({ name: "model", label: "Model", input: h("input", { value: address.get("model") ?? "", spellcheck: "false" }) });

let jobs = [];
let next = null;

async function load(cursor = null) {
  const filter = { status: status.input.value, model: model.input.value.trim() };
  if (!cursor) history.replaceState(null, "", `/ui/jobs${query(filter)}`);
  const page = await get(`/jobs${query({ ...filter, limit: 30, cursor })}`);
  jobs = cursor ? [...jobs, ...page.items] : page.items;
  next = page.next;
  show();
}

function show() {
  place.removeAttribute("aria-busy");
  if (!jobs.length) {
    fill(list, h("p", {}, "No such job. ", h("a", { href: "/ui/train" }, "Train a model.")));
    return;
  }
  const more = next && h("button", { onclick: () => load(next).catch((error) => showProblem(trouble, error)) }, "Older jobs");
  fill(
    list,
    h("div", { class: "card" }, table({ caption: "Jobs", head: ["Model", "State", "What happens", "Ordered", "Took", "Act"], rows: jobs.map(row), stacked: true })),
    more,
  );
}

function row(job) {
  const act = h("button", { class: "tight danger", "aria-label": `Cancel the training of ${job.model}` }, "Cancel");
  act.addEventListener("click", async () => {
    act.disabled = true;
    await call("POST", `/jobs/${job.id}/cancel`).catch((error) => showProblem(trouble, error));
    load().catch((error) => showProblem(trouble, error));
  });
  const log = h("button", { class: "tight", "aria-label": `Log of the training of ${job.model}, ${when(job.created_at)}`, onclick: () => details(job).catch((error) => showProblem(trouble, error)) }, "Log");
  return [
    h("a", { href: `/ui/train?job=${job.id}` }, job.model),
    badge(job.status),
    words(job),
    h("span", { title: when(job.created_at) }, ago(job.created_at)),
    job.started_at ? duration((new Date(job.finished_at ?? Date.now()) - new Date(job.started_at)) / 1000) : "",
    h("span", { class: "acts" }, log, !FINAL.includes(job.status) && act),
  ];
}

async function details({ id }) {
  const job = await get(`/jobs/${id}`);
  const log = new JobLog(id);
  await log.load();
  const close = h("button", { type: "button" }, "Close");
  const body = h(
    "div",
    {},
    facts([
      ["State", badge(job.status)],
      ["Outcome", words(job)],
      ["Recipe", recipeInWords(job.recipe)],
      ["Predicts", job.target],
      ["Started from", job.start_from && `version ${job.start_from}, warm`],
      ["Data", h("a", { href: `/ui/train?dataset=${job.dataset}` }, "the dataset")],
      ["Judged on", job.test && h("a", { href: `/ui/train?dataset=${job.test}` }, "a dataset of its own")],
      ["Attempts", job.attempt > 1 ? job.attempt : null],
      ["Ordered", when(job.created_at)],
      ["Ended", job.finished_at && when(job.finished_at)],
    ]),
    h("h3", { class: "gap" }, "What happened"),
    log.element,
    h("div", { class: "acts gap" }, h("a", { class: "button", href: `/ui/train?job=${id}` }, "Curve and figures"), close),
  );
  const box = dialog({ title: `Training of ${job.model}`, body });
  close.addEventListener("click", () => box.close());
}

function words(job) {
  const { progress } = job;
  if (job.status === "succeeded") return ["became ", h("a", { href: `/ui/models/${job.model}?version=${job.version}` }, `version ${job.version}`)];
  if (job.error) return job.error.detail;
  const again = job.attempt > 1 ? ` (attempt ${job.attempt})` : "";
  if (job.status !== "running") return stageInWords(job) + again;
  const share = progress.epochs ? `, ${percent(progress.epoch / progress.epochs, 0)}` : "";
  const left = progress.eta_seconds === null ? "" : `, ${duration(progress.eta_seconds)} left`;
  return `${stageInWords(job)}${share}${left}${again}`;
}

const form = h("form", { class: "row filters" }, status.element, model.element, h("button", { type: "submit" }, "Show"));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  load().catch((error) => failed(list, error));
});
status.input.addEventListener("change", () => form.requestSubmit());
fill(place, form, trouble, list);

// While something waits or runs and nobody reads further back.
setInterval(() => {
  const busy = jobs.some((job) => !FINAL.includes(job.status));
  const held = list.contains(document.activeElement);
  if (busy && !held && jobs.length <= 30 && !document.hidden) load().catch(() => null);
}, LOOK_AGAIN);

load().catch((error) => failed(list, error));

// Training jobs: queued, running and ended.

import { MOST_OF_A_PAGE, call, get, query } from "./api.js";
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
const status = new Field({ name: "status", label: "Status", input: select([["", "all"], ...STATES.map((each) => [each, each])], address.get("status")) });
const model = new Field({ name: "model", label: "Model", input: h("input", { value: address.get("model") ?? "", spellcheck: "false" }) });

let jobs = [];
let next = null;
let filter = {};
// The pending request; answers and errors of earlier ones are ignored.
let asking = null;
let lost = false;
let rows = new Map(); // by job

async function load(cursor = null) {
  const question = get(`/jobs${query({ ...filter, limit: 30, cursor })}`);
  asking = question;
  const [{ value: page, reason }] = await Promise.allSettled([question]);
  if (asking !== question) return;
  asking = null;
  if (reason) throw reason;
  const before = jobs;
  jobs = cursor ? [...jobs, ...page.items] : page.items;
  next = page.next;
  const same = jobs.length === before.length && jobs.every((job, index) => job.id === before[index].id);
  if (same && rows.size) for (const job of jobs) rows.get(job.id).renew(job);
  else show();
}

function show() {
  const held = list.contains(document.activeElement) ? document.activeElement.id : null;
  place.removeAttribute("aria-busy");
  rows = new Map(jobs.map((job) => [job.id, new Row(job)]));
  if (!jobs.length) {
    fill(list, h("p", {}, "No jobs match these filters. ", h("a", { href: "/ui/train" }, "Train a model.")));
    return;
  }
  const older = async () => {
    const last = jobs.at(-1).id;
    await load(next);
    list.querySelector(`tr:has(#log-${last}) + tr a`)?.focus();
  };
  const more = next && h("button", { onclick: () => older().catch(told) }, "Older jobs");
  fill(
    list,
    h("div", { class: "card" }, table({ caption: "Jobs", head: ["Model", "Status", "Progress", "Queued at", "Took", "Actions"], rows: [...rows.values()].map((row) => row.cells), stacked: true, compact: true })),
    more,
  );
  if (held) document.getElementById(held)?.focus({ preventScroll: true });
}

const told = (error) => showProblem(trouble, error);

// Made once and updated in place, so that the focus stays while figures change.
class Row {
  constructor(job) {
    this.state = h("span");
    this.happens = h("span");
    this.ordered = h("span", { title: when(job.created_at) });
    this.took = h("span");
    this.cancel = h("button", { class: "tight danger", id: `cancel-${job.id}`, "aria-label": `Cancel the training of ${job.model}`, onclick: () => this.stop(job).catch(told) }, "Cancel");
    this.log = h("button", { class: "tight", id: `log-${job.id}`, "aria-label": `Log of the training of ${job.model}, ${when(job.created_at)}`, onclick: () => details(job).catch(told) }, "Log");
    this.cells = [h("a", { id: `job-${job.id}`, href: `/ui/train?job=${job.id}` }, job.model), this.state, this.happens, this.ordered, this.took, h("span", { class: "acts" }, this.log, this.cancel)];
    this.renew(job);
  }

  renew(job) {
    this.ordered.textContent = ago(job.created_at);
    if (this.ended) return;
    this.ended = FINAL.includes(job.status);
    fill(this.state, badge(job.status));
    fill(this.happens, words(job));
    this.took.textContent = job.started_at ? duration((new Date(job.finished_at ?? Date.now()) - new Date(job.started_at)) / 1000) : "";
    if (this.ended && this.cancel === document.activeElement) this.log.focus();
    this.cancel.hidden = this.ended;
  }

  async stop(job) {
    this.cancel.setAttribute("aria-disabled", "true");
    try {
      await call("POST", `/jobs/${job.id}/cancel`);
      await load();
    } finally {
      this.cancel.removeAttribute("aria-disabled");
    }
  }
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
      ["Status", badge(job.status)],
      ["Outcome", words(job)],
      ["Recipe", recipeInWords(job.recipe)],
      ["Predicts", job.target],
      ["Started from", job.start_from && `weights of version ${job.start_from}`],
      ["Data", h("a", { href: `/ui/train?dataset=${job.dataset}` }, "dataset")],
      ["Judged on", job.test && h("a", { href: `/ui/train?dataset=${job.test}` }, "another dataset")],
      ["Attempts", job.attempt > 1 ? job.attempt : null],
      ["Queued at", when(job.created_at)],
      ["Ended", job.finished_at && when(job.finished_at)],
    ]),
    await compareWith(job),
    h("h3", { class: "gap" }, "Log"),
    log.element,
    h("div", { class: "acts gap" }, h("a", { class: "button", href: `/ui/train?job=${id}` }, "Curve and figures"), close),
  );
  const box = dialog({ title: `Training of ${job.model}`, body });
  close.addEventListener("click", () => box.close());
}

// Another ended training, beside this one.
async function compareWith(job) {
  const { items } = await get(`/jobs${query({ limit: MOST_OF_A_PAGE })}`); // whatever the filter of the list
  const others = items.filter((each) => each.id !== job.id && each.kind === job.kind && FINAL.includes(each.status));
  if (!others.length) return null;
  const choice = new Field({ name: "other", label: "Compare with", input: select([["", "…"], ...others.map((each) => [each.id, `${each.model}${each.version ? `, version ${each.version}` : `, ${each.status}`}, ${ago(each.created_at)}`])], "") });
  const place = h("div");
  choice.input.addEventListener("change", async () => {
    if (!choice.input.value) return fill(place);
    try {
      const [{ compared }, other] = await Promise.all([import("./jobs_compared.js"), get(`/jobs/${choice.input.value}`)]); // not needed before
      fill(place, await compared(job, other));
    } catch (error) {
      failed(place, error);
    }
  });
  return h("div", { class: "part" }, choice.element, place);
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
function showFiltered() {
  filter = { status: status.input.value, model: model.input.value.trim() };
  history.replaceState(null, "", `/ui/jobs${query(filter)}`);
  return load().catch((error) => {
    jobs = [];
    rows.clear();
    failed(list, error);
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  showFiltered();
});
status.input.addEventListener("change", () => form.requestSubmit());
fill(place, form, trouble, list);

// Poll while something is queued or running and only the first page is shown; one request at a time.
async function follow() {
  const busy = jobs.some((job) => !FINAL.includes(job.status));
  if (busy && jobs.length <= 30 && !document.hidden && !asking) {
    try {
      await load();
      if (lost) told(null);
      lost = false;
    } catch (error) {
      if (!lost) told(error);
      lost = true;
    }
  }
  setTimeout(follow, LOOK_AGAIN);
}

showFiltered().then(follow);

// Follows a training: stage, time left, loss curve, and result.

import { call, get } from "./api.js";
import { facts, fill, h, say } from "./dom.js";
import { showProblem } from "./fields.js";
import { ago, count, duration, figure as number, percent, recipeInWords } from "./format.js";
import { JobLog } from "./joblog.js";
import { colour, draw, figure } from "./plot.js";

export const FINAL = ["succeeded", "failed", "cancelled"];
const LOOK_AGAIN = 3000, SECOND = 1000;
const CURVE_POINTS = 400; // per stage, however long the page is open
const STAGES = {
  loading: "Loading the data", compiling: "Compiling the network", tuning: "Training the weights of universal further", "tuning again": "Training the weights of universal further, on all rows", training: "Training", calibrating: "Fitting on a part of the rows, to calibrate intervals", weighing: "Weighing the network against its anchor",
  judging: "Judging on held-out data",
  refitting: "Refitting on all rows", exporting: "Exporting the version",
};

export const badge = (status) =>
  h("span", { class: `badge ${{ succeeded: "good", failed: "bad", running: "busy" }[status] ?? ""}` }, status);

export function stageInWords(job) {
  if (job.status === "queued") return job.note ? `Waiting: ${job.note}` : "Waiting for a worker";
  if (job.status === "running") return STAGES[job.progress.stage] ?? "Starting";
  return { succeeded: "Done", failed: "Failed", cancelled: "Cancelled" }[job.status];
}

export class JobWatch {
  constructor(id) {
    this.id = id;
    this.points = new Map();
    this.stage = h("h2", { class: "stage" }, "…");
    this.bar = h("progress", { max: "1", "aria-label": "Progress of the training" });
    this.numbers = h("div");
    this.trouble = h("div");
    this.result = h("div");
    this.cancel = h("button", { class: "danger", type: "button" }, "Cancel");
    this.cancel.addEventListener("click", () => this.stop());
    this.curve = figure({
      caption: "Loss by epoch, in scaled units; lower is better",
      label: "Training and validation loss by epoch, and the loss of the simple forecast",
      size: "mid",
      head: ["Epoch", "Stage", { label: "Loss", class: "num" }, { label: "Validation loss", class: "num" }],
      rows: () => this.curvePoints().map((each) => [each.epoch, each.stage, number(each.loss), number(each.validation_loss)]),
    });
    this.curve.whole.hidden = true;
    this.log = new JobLog(id);
    this.notes = h("details", {}, h("summary", {}, "Log"), this.log.element);
    this.notes.addEventListener("toggle", () => this.notes.open && this.log.show());
    this.card = h("div", { class: "card" }, h("div", { class: "row spread" }, this.stage, this.cancel), this.bar, this.numbers, this.trouble, this.curve.whole, this.notes);
    this.element = h("div", {}, this.card, this.result);
  }

  async start() {
    const job = await get(`/jobs/${this.id}`);
    if (this.lost) showProblem(this.trouble, null);
    this.lost = false;
    for (const point of job.curve) this.remember(point);
    this.job = job;
    this.show(job);
    this.clock ??= setInterval(() => this.tick(), SECOND);
    if (!FINAL.includes(job.status)) this.listen();
    return job;
  }

  // Only while the page is visible: each listening tab holds one of the six connections that a
  // browser opens to a service, and with six such tabs no page would load.
  listen() {
    if (document.hidden) {
      document.addEventListener("visibilitychange", () => this.lookAgain(), { once: true });
      return;
    }
    const source = new EventSource(`/jobs/${this.id}/events`);
    const left = () => {
      source.close();
      this.listen();
    };
    document.addEventListener("visibilitychange", left, { once: true });
    const end = () => {
      source.close();
      document.removeEventListener("visibilitychange", left);
    };
    source.addEventListener("message", (event) => {
      const job = JSON.parse(event.data);
      if (job.progress.epoch !== null && job.progress.loss !== null) this.remember(job.progress);
      this.show({ ...this.job, ...job });
      if (FINAL.includes(job.status)) end();
    });
    // Browsers reconnect by themselves, but not after an answer such as 401 or 503.
    source.addEventListener("error", () => {
      end();
      setTimeout(() => this.lookAgain(), LOOK_AGAIN);
    });
  }

  async lookAgain() {
    try {
      await this.start();
    } catch (error) {
      if (!this.lost) showProblem(this.trouble, error);
      this.lost = true;
      setTimeout(() => this.lookAgain(), LOOK_AGAIN);
    }
  }

  remember({ stage, epoch, epochs, loss, validation_loss: validation }) {
    const stride = Math.ceil((epochs ?? 0) / CURVE_POINTS) || 1;
    this.points.set(`${stage} ${Math.ceil(epoch / stride) * stride}`, { stage, epoch, loss, validation_loss: validation });
  }

  curvePoints() {
    return [...this.points.values()].sort((a, b) => a.epoch - b.epoch);
  }

  show(job) {
    const { progress } = job;
    const before = this.stage.textContent;
    this.stage.textContent = stageInWords(job);
    if (before !== this.stage.textContent) say(`${job.model}: ${this.stage.textContent}`);
    const ended = FINAL.includes(job.status);
    this.cancel.hidden = ended;
    this.bar.hidden = ended;
    if (job.status === "running" && progress.epochs) this.bar.value = progress.epoch / progress.epochs;
    else this.bar.removeAttribute("value");
    this.now = job;
    fill(
      this.numbers,
      facts(
        [
          ["Time passed", ended || !job.started_at ? null : (this.passed = h("span"))],
          ["Time left", ended || progress.eta_seconds === null ? null : `about ${duration(progress.eta_seconds)}`],
          ["Epoch", progress.epochs ? `${count(progress.epoch)} of ${count(progress.epochs)}` : null],
          ["Validation loss", progress.validation_loss === null ? null : number(progress.validation_loss)],
          ["Took", ended && job.started_at ? duration((new Date(job.finished_at) - new Date(job.started_at)) / 1000) : null],
          ["Recipe", job.recipe ? recipeInWords(job.recipe) : null],
          ["Queued", job.started_at ? null : ago(job.created_at)],
        ],
        "numbers",
      ),
    );
    this.tick();
    const share = job.status === "running" && progress.epochs ? `${percent(progress.epoch / progress.epochs, 0)} ` : "";
    document.title = `${share}${this.stage.textContent} · ${job.model} · Stepahead`;
    this.drawCurve();
    if (before !== this.stage.textContent && this.notes.open) this.log.show();
    if (ended) this.finish(job).catch((error) => showProblem(this.trouble, error));
  }

  tick() {
    if (FINAL.includes(this.now.status)) return clearInterval(this.clock);
    if (this.now.started_at) this.passed.textContent = duration((Date.now() - new Date(this.now.started_at)) / 1000);
  }

  // Before its first epoch an anchored network is the simple forecast that it has to beat.
  get toBeat() {
    const { recipe, start_from: start } = this.now;
    return recipe?.anchor && recipe.anchor !== "none" && !start ? this.points.get("training 0")?.validation_loss : null;
  }

  drawCurve() {
    if (this.points.size < 2) return;
    this.curve.whole.hidden = false;
    draw(
      this.curve.element,
      () => {
        const traces = [];
        for (const [stage, name, line] of [["tuning", "loss of universal", "persistence"], ["training", "loss", "forecast"], ["refitting", "loss when refitting", "good-fill"]]) {
          const points = this.curvePoints().filter((each) => each.stage === stage);
          if (!points.length) continue;
          const x = points.map((each) => each.epoch);
          traces.push({ name, x, y: points.map((each) => each.loss), mode: "lines", line: { color: colour(line), width: 2 } });
          if (points.some((each) => each.validation_loss !== null)) {
            traces.push({ name: stage === "tuning" ? "its validation loss" : "validation loss", x, y: points.map((each) => each.validation_loss), mode: "lines", line: { color: colour("actual"), width: 1.5, dash: "dot" } });
          }
        }
        const last = Math.max(1, ...this.curvePoints().map((each) => each.epoch));
        if (this.toBeat) traces.push({ name: "simple forecast to beat", x: [0, last], y: [this.toBeat, this.toBeat], mode: "lines", line: { color: colour("persistence"), width: 1.5, dash: "dash" } });
        return traces;
      },
      () => ({ xaxis: { title: { text: "epoch" } }, yaxis: { type: "log", exponentformat: "none", nticks: 6 }, showlegend: true }),
    );
  }

  async finish(job) {
    if (this.finished) return;
    this.finished = true;
    if (job.error) {
      showProblem(this.trouble, { ...job.error, message: job.error.detail });
      this.notes.open = true;
    }
    if (job.status !== "succeeded") {
      fill(this.result, h("p", { class: "acts" }, h("a", { class: "button primary", href: `/ui/train?again=${this.id}` }, "Train again")));
      return;
    }
    const version = await get(`/models/${job.model}/versions/${job.version}`);
    // Progress arrives a few times a second; the scorecard has every epoch.
    for (const epoch of version.scorecard.epochs) this.remember({ stage: "training", ...epoch });
    this.drawCurve();
    const { heldOutPicture, outcome, reasonOf, scorecardFigures } = await import("./scorecard.js"); // not needed before
    const champion = version.aliases.includes("champion");
    const reason = reasonOf(version.decision, version.scorecard.verdict);
    this.element.prepend(this.result); // what one came for
    fill(
      this.result,
      h(
        "section",
        { class: "card", "aria-labelledby": "outcome" },
        h("h2", { id: "outcome" }, `${job.model}, version ${job.version}`),
        outcome(version),
        heldOutPicture(version),
        h("p", {}, champion ? `It is champion: ${reason}.` : `It ${reason}.`),
        h(
          "p",
          { class: "acts" },
          h("a", { class: "button primary", href: `/ui/models/${job.model}?version=${job.version}` }, "Show the version"),
          h("a", { class: "button", href: `/ui/try?model=${job.model}@${job.version}` }, "Try it"),
        ),
        h("details", {}, h("summary", {}, "Figures"), scorecardFigures(version)),
      ),
    );
    say(`Trained. ${version.scorecard.verdict}`);
  }

  async stop() {
    this.cancel.disabled = true;
    try {
      this.show({ ...this.job, ...(await call("POST", `/jobs/${this.id}/cancel`)) });
    } catch (error) {
      showProblem(this.trouble, error);
    }
    this.cancel.disabled = false;
  }
}

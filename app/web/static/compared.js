// RNN, GRU and LSTM trained alike on one dataset, beside an MLP and the simple forecasts: start a
// comparison, follow it, and read it.

import { call, find, get } from "./api.js";
import { fill, h, say, table } from "./dom.js";
import { Field, select, showProblem } from "./fields.js";
import { capital, count, duration, figure as number, percent, recipeInWords, when } from "./format.js";
import { FINAL, badge, stageInWords } from "./job.js";
import { baselineName } from "./scorecard.js";

const LOOK_AGAIN = 2000;
const PRESETS = [["", "the champion’s"], ["default", "default"], ["chapter", "chapter"]];

export class Comparisons {
  constructor({ model, version, part }) {
    this.model = model;
    this.dataset = version.lineage.dataset;
    this.shown = h("div");
    this.earlier = h("div");
    this.trouble = h("div");
    this.element = part("Compare RNN, GRU and LSTM", this.shown, this.trouble, this.earlier, this.form());
    this.load().catch((error) => showProblem(this.trouble, error));
  }

  get path() {
    return `/models/${this.model.name}/comparisons`;
  }

  async load() {
    const page = await find(`${this.path}?limit=10`);
    this.choose(page?.items ?? []);
  }

  choose(list) {
    if (!list.length) {
      fill(this.shown, h("p", { class: "hint" }, "No comparison yet. Each cell is trained with the same recipe on the same rows and becomes a version. Only a lead that is more than noise moves the champion."));
      return;
    }
    if (list.length > 1) {
      const choice = new Field({ name: "comparison", label: "Comparison", input: select(list.map((each) => [each.id, `${when(each.created_at)}, ${recipeInWords({ ...each.recipe, cell: "rnn, gru, lstm" })}`])) });
      choice.input.addEventListener("change", () => this.show(list.find((each) => each.id === choice.input.value)));
      fill(this.earlier, h("div", { class: "pick" }, choice.element));
    }
    this.show(list[0]);
  }

  show(comparison) {
    this.current = comparison.id;
    const ended = FINAL.includes(comparison.status);
    const text = comparison.kind === "text";
    const measure = text ? "bits_per_token" : "rmse";
    const every = [...comparison.cells.map((each) => each.figures?.[measure]), ...comparison.baselines.map((each) => each[measure])];
    const most = Math.max(0, ...every.filter((each) => typeof each === "number"));
    const second = text ? "Right" : "MAE";
    fill(
      this.shown,
      h("p", { class: "row" }, badge(comparison.status), h("span", { class: "quiet small" }, `${when(comparison.created_at)}, ${recipeInWords({ ...comparison.recipe, cell: "rnn, gru, lstm" })}`), !ended && this.cancelButton(comparison)),
      comparison.verdict && h("p", { class: "sentence" }, h("strong", {}, `${capital(comparison.verdict)}.`)),
      table({
        caption: `Cells and simple forecasts by ${text ? "bits per token" : "RMSE"}; shorter bars are better`,
        head: ["Forecaster", text ? "Bits per token" : "RMSE", { label: second, class: "num" }, "Compared with the best", { label: "Parameters", class: "num" }, { label: "Trained in", class: "num" }],
        rows: [...comparison.cells.map((each) => cellRow(each, comparison, measure, most)), ...comparison.baselines.map((each) => baselineRow(each, comparison, measure, most))],
        stacked: true,
      }),
    );
    if (!ended) this.lookAgain(comparison);
  }

  // By then the page may show another comparison, or be closed.
  lookAgain(comparison) {
    setTimeout(async () => {
      if (this.current !== comparison.id || !this.element.isConnected) return;
      if (document.hidden) return this.lookAgain(comparison);
      const now = await get(`${this.path}/${comparison.id}`).catch(() => null);
      if (this.current !== comparison.id) return;
      if (!now) return this.lookAgain(comparison);
      if (now.verdict) say(now.verdict);
      if (JSON.stringify(now) === JSON.stringify(comparison)) this.lookAgain(comparison);
      else this.show(now);
    }, LOOK_AGAIN);
  }

  cancelButton(comparison) {
    const button = h("button", { type: "button", class: "tight danger" }, "Cancel");
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        this.show(await call("POST", `${this.path}/${comparison.id}/cancel`));
      } catch (error) {
        showProblem(this.trouble, error);
      }
    });
    return button;
  }

  form() {
    const file = new Field({ name: "file", label: "On a file", hint: this.dataset ? "If empty, the data that this version was trained on." : undefined, input: h("input", { type: "file", required: !this.dataset }) });
    const preset = new Field({ name: "recipe", label: "Recipe", hint: "Everything except the cell.", input: select(PRESETS, "") });
    const go = h("button", { type: "submit", class: "primary" }, "Train all three");
    const trouble = h("div");
    const form = h("form", {}, h("div", { class: "fields" }, file.element, preset.element), trouble, go);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      go.disabled = true;
      showProblem(trouble, null, [file, preset]);
      const body = new FormData();
      if (file.input.files.length) body.append("file", file.input.files[0]);
      else body.append("dataset", this.dataset);
      if (preset.input.value) body.append("recipe", JSON.stringify({ preset: preset.input.value }));
      try {
        const started = await call("POST", `/models/${this.model.name}/compare`, { form: body });
        details.open = false;
        form.reset();
        say("Three trainings are queued.");
        this.current = started.id;
        await this.load();
      } catch (error) {
        showProblem(trouble, error, [file, preset]);
      }
      go.disabled = false;
    });
    const details = h("details", {}, h("summary", {}, "Compare the cells"), form);
    return details;
  }
}

function cellRow(cell, comparison, measure, most) {
  const name = [cell.version ? h("a", { href: `/ui/models/${comparison.model}?version=${cell.version}` }, cell.cell.toUpperCase()) : cell.cell.toUpperCase()];
  const { figures } = cell;
  const judged = wasJudged(comparison);
  if (!figures) return [name, waiting(cell), "", "", "", ""];
  const second = measure === "rmse" ? number(figures.mae) : figures.accuracy === null ? "–" : percent(figures.accuracy);
  const cells = [name, [number(figures[measure]), bar(figures[measure], most, true)], second, beside(figures, judged), count(figures.parameters), duration(figures.training_seconds)];
  return { self: figures.beside === "best", cells };
}

function waiting(cell) {
  const { progress, error } = cell;
  if (error) return error.detail;
  const share = progress.epochs ? String(progress.epoch / progress.epochs) : null;
  return [h("span", { class: "small" }, stageInWords(cell)), share && h("progress", { value: share, max: "1", "aria-label": `Progress of ${cell.cell.toUpperCase()}` })];
}

// Where nothing was held out, nothing is best.
const wasJudged = ({ verdict }) => !verdict?.startsWith("not judged");

function baselineRow(each, comparison, measure, most) {
  const against = wasJudged(comparison) ? each.best_cell_is : null;
  const kind = { better: "good", worse: "bad" }[against?.verdict] ?? "";
  const told = against && h("span", { class: `badge ${kind}` }, `best cell: ${against.verdict}`);
  return [baselineName(each.name), [number(each[measure]), bar(each[measure], most, false)], measure === "rmse" ? number(each.mae) : "", told, "", ""];
}

function beside({ beside: told, p_value: p }, judged) {
  if (!told || !judged) return "";
  const kind = { best: "good", worse: "bad" }[told] ?? "";
  return [h("span", { class: `badge ${kind}` }, told), " ", typeof p === "number" && h("span", { class: "quiet small" }, `p ${p < 0.001 ? "< 0.001" : `= ${number(p, 2)}`}`)];
}

function bar(value, most, own) {
  if (typeof value !== "number" || most <= 0) return "";
  const filled = h("i");
  filled.style.width = `${(value / most) * 100}%`;
  return h("span", { class: `lane${own ? " own" : ""}`, "aria-hidden": "true" }, filled);
}

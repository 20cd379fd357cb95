// What to train: the model's name, its start, what it is judged on, its inputs, its recipe.

import { call, find, get } from "./api.js";
import { Columns } from "./columns.js";
import { fill, h, newId, put } from "./dom.js";
import { Field, select, showProblem } from "./fields.js";
import { ago, bytes, count } from "./format.js";
import { RecipeForm } from "./recipe.js";

const HELD_OUT = "", OTHER_FILE = "file";

export const describeDataset = (each) =>
  `${each.filename ?? each.kind} · ${each.rows_used === null ? bytes(each.size_bytes) : `${count(each.rows_used)} rows`} · ${ago(each.created_at)}`;

// again: a job whose order is repeated, or null; fileOf: returns the uploaded file, for a training
// that joins it to earlier data; target: the field that chooses the column, or null.
export class OrderForm {
  constructor({ dataset, recipes, models, datasets, model, again, target, fileOf, onordered }) {
    Object.assign(this, { dataset, recipes, models, datasets, target, fileOf, onordered });
    this.again = again?.kind === dataset.kind ? again : null;
    const names = h("datalist", { id: newId("names") }, models.filter((model) => model.kind === dataset.kind).map((model) => h("option", { value: model.name })));
    this.name = new Field({
      name: "model",
      label: "Name of the model",
      hint: "An existing name gets another version.",
      input: h("input", { value: model ?? nameFrom(dataset.filename), required: true, list: names.id, spellcheck: "false", autocomplete: "off" }),
    });
    this.columns = target && new Columns(dataset.report, target.input.value);
    this.test = this.testField();
    this.onward = h("div", { class: "fields" });
    this.recipePlace = h("div");
    this.trouble = h("div");
    this.go = h("button", { class: "primary", type: "submit" }, "Train");
    this.element = h(
      "form",
      { class: "card", id: newId("order"), novalidate: true },
      h("div", { class: "fields" }, this.name.element, names, (this.ordinary = h("div", { class: "contents" })), this.test.element),
      this.onward,
      this.columns?.element,
      this.recipePlace,
    );
    this.go.setAttribute("form", this.element.id);
    this.summary = h("p", { class: "quiet small" });
    this.bar = h("div", { class: "sticky" }, this.trouble, h("div", { class: "row spread" }, this.summary, this.go)); // always in sight
    this.element.addEventListener("input", () => this.sumUp());
    // While typing: fields that appear on leaving the name would move the button away from the click.
    this.name.input.addEventListener("input", () => (this.known = this.showKnown().catch((error) => showProblem(this.trouble, error))));
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.order();
    });
  }

  sumUp() {
    const what = this.target ? this.target.input.value : "the next token";
    this.summary.textContent = `${this.name.input.value.trim()} · predicts ${what} · recipe ${this.recipe?.label ?? "default"}`;
  }

  retarget() {
    this.columns.show(this.target.input.value);
    this.sumUp();
  }

  testField() {
    const before = this.datasets.filter((each) => each.kind === this.dataset.kind && each.id !== this.dataset.id);
    const choice = select([[HELD_OUT, "the last part, held out"], [OTHER_FILE, "a second file …"], ...before.map((each) => [each.id, describeDataset(each)])], this.again?.test ?? HELD_OUT);
    const field = new Field({ name: "test", label: "Judge on", input: choice });
    this.testFile = h("input", { type: "file", "aria-label": "The second file", hidden: true });
    choice.after(this.testFile);
    choice.addEventListener("change", () => {
      this.testFile.hidden = choice.value !== OTHER_FILE;
      if (!this.testFile.hidden) this.testFile.click();
    });
    return field;
  }

  // Offers what a known model has: its champion's recipe, its weights, its last dataset.
  async showKnown() {
    const name = this.name.input.value.trim();
    const known = this.models.find((model) => model.name === name && model.kind === this.dataset.kind);
    if (!known && this.recipe && !this.extend && !this.startFrom) return; // still a new name
    const [model, version] = known ? await this.find(known) : [null, null];
    if (this.name.input.value.trim() !== name) return;
    this.recipe = new RecipeForm({ recipes: this.recipes, kind: this.dataset.kind, champion: version?.manifest.recipe ?? null, before: this.recipe, again: this.again?.recipe, columns: this.columns, calendar: this.dataset.report.calendar });
    fill(this.ordinary, this.recipe.shown);
    fill(this.recipePlace, this.recipe.element);
    this.sumUp();
    this.offerNothing();
    if (!model) return;
    const live = model.versions.filter((each) => !each.deleted_at);
    this.startFrom = new Field({
      name: "start_from",
      label: "Initial weights",
      hint: "Weights of a version need a recipe with the same cell, layers and horizon.",
      input: select([["", "random, from the seed"], ...live.map((each) => [each.version, `from version ${each.version}${each.aliases.includes("champion") ? " (champion)" : ""}`])], this.again?.model === name ? this.again.start_from : null),
    });
    put(this.onward, this.startFrom.element);
    if (this.dataset.kind !== "series" || this.dataset.extends || !version?.lineage.dataset) return;
    this.extend = new Field({
      name: "extend",
      label: "Rows to train on",
      hint: `The previous rows are the ones that ${name} was last trained on. Rows are joined by series and time; rows with the same time must agree.`,
      input: select([["", "this file only"], ["true", "the previous rows and this file"]]),
    });
    put(this.onward, this.extend.element);
  }

  async find({ name, champion }) {
    try {
      return await Promise.all([get(`/models/${name}`), champion && find(`/models/${name}/versions/${champion.version}`)]);
    } catch (error) {
      if (this.name.input.value.trim() !== name) return [];
      this.offerNothing(); // of the previous model
      throw error;
    }
  }

  offerNothing() {
    this.extend = this.startFrom = null;
    fill(this.onward);
  }

  get fields() {
    return [this.name, this.target, this.test, this.startFrom, this.extend, ...this.recipe.fields].filter(Boolean);
  }

  async order() {
    await this.known;
    showProblem(this.trouble, null, this.fields);
    if (this.test.input.value === OTHER_FILE && !this.testFile.files.length) {
      this.test.showError("Choose the second file, or hold out the last part.");
      return this.testFile.focus();
    }
    this.go.disabled = true;
    try {
      this.onordered(await call("POST", `/models/${encodeURIComponent(this.name.input.value.trim() || " ")}/train`, { form: await this.form() }));
    } catch (error) {
      showProblem(this.trouble, error, this.fields);
    }
    this.go.disabled = false;
  }

  async form() {
    const form = new FormData();
    if (this.extend?.input.value) {
      form.append("extend", "true");
      form.append("file", await this.fileOf(this.dataset));
      form.append("read", JSON.stringify(this.dataset.read));
    } else form.append("dataset", this.dataset.id);
    if (this.target) form.append("target", this.target.input.value);
    const recipe = this.recipe.value();
    if (recipe) form.append("recipe", JSON.stringify(recipe));
    if (this.startFrom?.input.value) form.append("start_from", this.startFrom.input.value);
    const test = this.test.input.value;
    if (test === OTHER_FILE && this.testFile.files.length) {
      form.append("test", this.testFile.files[0]);
      form.set("read", JSON.stringify(this.dataset.read)); // the options of the first file apply to it too
    } else if (test !== HELD_OUT && test !== OTHER_FILE) form.append("test", test);
    return form;
  }
}

function nameFrom(filename) {
  const stem = (filename ?? "").replace(/\.[^.]*$/, "").toLowerCase();
  return stem.replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "").slice(0, 60) || "my-model";
}

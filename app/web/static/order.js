// What to train: the model's name, its start, what it is judged on, its recipe.

import { call, find, get } from "./api.js";
import { fill, h, newId, put } from "./dom.js";
import { Field, select, showProblem } from "./fields.js";
import { ago, bytes, count } from "./format.js";
import { RecipeForm } from "./recipe.js";

const HELD_OUT = "", OTHER_FILE = "file";

export const describeDataset = (each) =>
  `${each.filename ?? each.kind} · ${each.rows_used === null ? bytes(each.size_bytes) : `${count(each.rows_used)} rows`} · ${ago(each.created_at)}`;

// again: a job whose order is repeated, or null; fileOf: returns the uploaded file, for a training
// that joins it to earlier data.
export class OrderForm {
  constructor({ dataset, recipes, models, datasets, model, again, fileOf, onordered }) {
    Object.assign(this, { dataset, recipes, models, datasets, fileOf, onordered });
    this.again = again?.kind === dataset.kind ? again : null;
    const names = h("datalist", { id: newId("names") }, models.filter((model) => model.kind === dataset.kind).map((model) => h("option", { value: model.name })));
    this.name = new Field({
      name: "model",
      label: "Name of the model",
      hint: "A new name, or a model that is to get another version. Lower-case letters, digits, dot, dash, underscore.",
      input: h("input", { value: model ?? nameFrom(dataset.filename), required: true, list: names.id, spellcheck: "false", autocomplete: "off" }),
    });
    this.target = dataset.kind === "series" ? this.targetField() : null;
    this.test = this.testField();
    this.onward = h("div", { class: "fields" });
    this.recipePlace = h("div");
    this.trouble = h("div");
    this.go = h("button", { class: "primary", type: "submit" }, "Train");
    this.element = h(
      "form",
      { class: "card", novalidate: true },
      h("div", { class: "fields" }, this.name.element, names, this.target?.element, this.test.element),
      this.onward,
      this.recipePlace,
      this.trouble,
      this.go,
    );
    // While typing: fields that appear on leaving the name would move the button away from the click.
    this.name.input.addEventListener("input", () => (this.known = this.showKnown().catch((error) => showProblem(this.trouble, error))));
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.order();
    });
  }

  targetField() {
    const { report } = this.dataset;
    const columns = [report.target, ...report.target_alternatives].filter(Boolean);
    return new Field({
      name: "target",
      label: "Column to predict",
      hint: report.target ? "The likeliest measurement is suggested." : "No column looks like a measurement.",
      input: select(columns.map((each) => [each, each]), columns.includes(this.again?.target) ? this.again.target : report.target),
    });
  }

  testField() {
    const before = this.datasets.filter((each) => each.kind === this.dataset.kind && each.id !== this.dataset.id);
    const choice = select([[HELD_OUT, "the last part, held out"], [OTHER_FILE, "a second file …"], ...before.map((each) => [each.id, describeDataset(each)])], this.again?.test ?? HELD_OUT);
    const field = new Field({ name: "test", label: "Judge on", hint: "Not trained on before judging.", input: choice });
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
    this.recipe = new RecipeForm({ recipes: this.recipes, kind: this.dataset.kind, champion: version?.manifest.recipe ?? null, before: this.recipe, again: this.again?.recipe });
    fill(this.recipePlace, this.recipe.element);
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

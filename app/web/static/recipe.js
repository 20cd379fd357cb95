// The recipe form: a preset, and every field that may differ from it.

import { h } from "./dom.js";
import { Field, select } from "./fields.js";

const NONE = "none"; // an empty list, as an empty field means that the service chooses
const AS_CHAMPION = "\u0000champion";
// Asked for most often, so not in the folded part.
const ALWAYS_SHOWN = ["horizon", "calendar"];
const BY_COLUMN = ["features", "known"]; // chosen beside the columns
const GROUPS = {
  Basics: ["epochs", "window", "cell", "layers", "anchor", "scaling", "tokenizer", "reading"],
  Network: null, // all others
  Judging: ["test_fraction", "refit", "validation_fraction", "early_stopping", "seed"],
};
const LABELS = { horizon: "Steps ahead to forecast", calendar: "Calendar" };
const HINTS = {
  calendar_inputs: "Computed from the times: hour, weekday, month day, time of year, holiday, working days. Empty: those that help; none: none.",
  horizon: "Empty: by the frequency of the rows, 1 without times.", calendar: "When there are rows: XNYS, DE, Mon-Fri. Empty: as the file was read.", anchor: "The simple forecast that the network corrects; auto: an average of several, weighed on earlier rows." };

export class RecipeForm {
  // recipes: GET /recipes; champion: the recipe of the model's champion, or null; before: the form
  // that this one replaces, whose changes it keeps; again: a recipe for the first form to show; columns:
  // where inputs are chosen, or null.
  constructor({ recipes, kind, champion, before = null, again = null, columns = null, calendar = null }) {
    this.kind = kind;
    Object.assign(this, { columns, calendar });
    this.presets = recipes.items.filter((preset) => preset.kind === kind);
    this.described = recipes.fields[kind].filter(({ name }) => name !== "preset" && !BY_COLUMN.includes(name));
    this.champion = champion?.kind === kind ? champion : null;
    const picked = before ? before.picked : (again?.preset ?? null);
    this.picked = picked === AS_CHAMPION && !this.champion ? null : picked;
    this.chosen = this.picked ?? (this.champion ? AS_CHAMPION : "default");
    this.groups = h("div");
    this.details = h("details", { class: "recipe" }, h("summary", {}, "Change the recipe"), this.groups);
    this.shown = h("div", { class: "contents" });
    this.element = h("div", {}, this.choices(), this.details);
    this.showFields();
    if (!before) columns?.take(again ?? this.base, Boolean(again?.features || again?.known));
    for (const [name, value] of before?.typed ?? this.asIn(again)) this.fields.find((field) => field.key === name).input.value = value;
    this.details.open = before ? before.details.open : this.typed.some(([name]) => !ALWAYS_SHOWN.includes(name));
  }

  // The values of the fields that were changed.
  get typed() {
    return this.fields.filter((field) => field.input.value !== field.offered).map((field) => [field.key, field.input.value]);
  }

  // Every field of a recipe, as text.
  asIn(recipe) {
    return recipe ? this.fields.map(({ key, schema }) => [key, inputFor(schema, recipe[key]).value]) : [];
  }

  choices() {
    const options = this.presets.toSorted((a, b) => (b.name === "default") - (a.name === "default")).map((preset) => [preset.name, preset.name, preset.summary]);
    if (this.champion) options.unshift([AS_CHAMPION, "Like the champion", "The recipe of this model’s champion, on the new data."]);
    return h(
      "fieldset",
      {},
      h("legend", {}, "Recipe"),
      h(
        "div",
        { class: "choices" },
        options.map(([name, label, summary]) => {
          const radio = h("input", { type: "radio", name: "preset", value: name, checked: name === this.chosen });
          radio.addEventListener("change", () => {
            this.picked = this.chosen = name;
            this.showFields();
          });
          return h("label", { class: "choice" }, radio, h("span", {}, h("strong", {}, label), summary));
        }),
      ),
    );
  }

  get label() {
    return this.chosen === AS_CHAMPION ? "like the champion" : this.chosen;
  }

  get base() {
    return this.chosen === AS_CHAMPION ? this.champion : this.presets.find((preset) => preset.name === this.chosen).recipe;
  }

  showFields() {
    this.fields = this.described.map((field) => this.field(field));
    const named = (names) => names.map((name) => this.fields.find(({ key }) => key === name)).filter(Boolean);
    this.shown.replaceChildren(...named(ALWAYS_SHOWN).map((field) => field.element));
    const elsewhere = [...ALWAYS_SHOWN, ...Object.values(GROUPS).flatMap((names) => names ?? [])];
    const others = this.fields.filter(({ key }) => !elsewhere.includes(key));
    this.groups.replaceChildren(
      ...Object.entries(GROUPS).map(([title, names]) =>
        h("fieldset", { class: "group" }, h("legend", {}, title), h("div", { class: "fields" }, (names ? named(names) : others).map((field) => field.element))),
      ),
    );
    this.columns?.take(this.base);
  }

  field({ name, description, value: schema }) {
    const base = this.base[name];
    const input = inputFor(schema, base);
    if (name === "calendar") input.placeholder = this.calendar ?? "none";
    const field = new Field({ name: `recipe.${name}`, label: LABELS[name] ?? name.replaceAll("_", " "), hint: HINTS[name] ?? description.replace(/\bnull:/g, "empty:"), input });
    field.schema = schema;
    field.key = name;
    field.offered = input.value;
    return field;
  }

  // null: nothing differs from the champion's recipe, so no recipe is sent.
  value() {
    const changed = {};
    for (const field of this.fields) {
      const now = read(field.input, field.schema);
      if (JSON.stringify(now) !== JSON.stringify(this.base[field.key] ?? null)) changed[field.key] = now;
    }
    for (const [name, now] of Object.entries(this.columns?.value() ?? {})) if (JSON.stringify(now) !== JSON.stringify(this.base[name] ?? null)) changed[name] = now;
    if (this.chosen === AS_CHAMPION) return Object.keys(changed).length ? changed : null;
    return { preset: this.chosen, ...changed };
  }
}

const variants = (schema) => schema.anyOf ?? [schema];
const nullable = (schema) => variants(schema).some((each) => each.type === "null");

function inputFor(schema, value) {
  const [main] = variants(schema);
  const words = variants(schema).flatMap((each) => each.enum ?? (typeof each.const === "string" ? [each.const] : []));
  if (main.enum) return select([...(nullable(schema) ? [["", "–"]] : []), ...words.map((each) => [each, each])], value);
  if (main.type === "boolean") return select([[true, "yes"], [false, "no"]], value);
  if (main.const !== undefined && variants(schema).length === 1) return h("input", { value: String(main.const), readonly: true });
  if (main.type === "array") {
    const shown = Array.isArray(value) ? value.join(", ") || NONE : "";
    return h("input", { value: shown, spellcheck: "false" });
  }
  return h("input", {
    value: value === null || value === undefined ? "" : String(value),
    inputmode: main.type === "integer" ? "numeric" : main.type === "number" ? "decimal" : "text",
    spellcheck: "false",
  });
}

// Anything that is not a number is sent unchanged; the service says what is wrong with it.
function read(input, schema) {
  const text = input.value.trim();
  const [main] = variants(schema);
  if (main.type === "boolean") return text === "true";
  if (text === "" && (nullable(schema) || main.type !== "string")) return nullable(schema) ? null : "";
  if (main.type === "array" && text === NONE) return [];
  if (main.type === "array") return text.split(/[,;]+/).map((each) => atom(each.trim(), main.items.type));
  return atom(text, variants(schema).some((each) => ["integer", "number"].includes(each.type)) ? "number" : "string");
}

const atom = (text, type) => (type !== "string" && text !== "" && Number.isFinite(Number(text)) ? Number(text) : text);

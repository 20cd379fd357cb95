// A table of the values of columns known ahead, a row for each step.

import { fill, h, newId } from "./dom.js";

export class KnownAhead {
  constructor(columns, steps) {
    Object.assign(this, { columns, name: "future" });
    this.error = h("p", { class: "field-error", id: newId("future"), hidden: true });
    this.rows = h("tbody");
    this.element = h(
      "div",
      { class: "field" },
      h("p", { class: "label" }, "Known ahead"),
      h("div", { class: "table scroll known", tabindex: "0", role: "region", "aria-label": "Values known ahead" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Step"), columns.map((each) => h("th", { scope: "col" }, each)))), this.rows)),
      this.error,
    );
    this.show(steps);
  }

  // Keeps what was typed.
  show(steps) {
    const before = this.typed ?? [];
    this.inputs = Array.from({ length: steps }, (_, step) => this.columns.map((name, at) => h("input", { inputmode: "decimal", value: before[step]?.[at] ?? "", "aria-label": `${name}, step ${step + 1}`, "aria-describedby": this.error.id })));
    fill(this.rows, this.inputs.map((row, step) => h("tr", {}, h("th", { scope: "row" }, String(step + 1)), row.map((input) => h("td", {}, input)))));
    [[this.input]] = this.inputs; // where errors lead
  }

  get typed() {
    return this.inputs?.map((row) => row.map((input) => input.value.trim()));
  }

  take(future) {
    for (const [step, row] of this.inputs.entries()) for (const [at, input] of row.entries()) input.value = future[this.columns[at]][step] ?? "";
  }

  // Anything that is not a number is sent unchanged; the service says what is wrong with it.
  value() {
    const number = (text) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : text || null);
    return Object.fromEntries(this.columns.map((name, at) => [name, this.typed.map((row) => number(row[at]))]));
  }

  showError(message) {
    this.error.textContent = message;
    this.error.hidden = false;
  }

  clear() {
    this.error.hidden = true;
  }
}

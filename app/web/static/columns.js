// The columns beside the target: used as inputs, known ahead, or unused.

import { fill, h, table } from "./dom.js";
import { select } from "./fields.js";
import { count, figure } from "./format.js";

const AUTOMATIC = "automatic", UNUSED = "unused", USED = "used", KNOWN = "known";
const USES = [[AUTOMATIC, "automatic"], [USED, "used"], [KNOWN, "known ahead"], [UNUSED, "unused"]];
const SHOWN = 6;

export class Columns {
  // report: of the dataset; target: the chosen column.
  constructor(report, target) {
    this.report = report;
    this.usable = report.columns.filter((each) => each.used && !["time", "series"].includes(each.role)).map((each) => each.name);
    this.body = h("div");
    this.uses = new Map();
    this.touched = false;
    const text = report.columns.length > 2 ? h("p", { class: "hint" }, "Automatic: the training decides. Columns known ahead, such as planned promotions, are asked for with each forecast.") : null;
    this.element = h("details", { open: report.columns.length <= SHOWN, hidden: report.columns.length === 0 }, h("summary", {}, `Columns (${count(report.columns.length)})`), this.body, text);
    this.show(target);
  }

  show(target) {
    this.target = target;
    this.inputs = new Map();
    fill(
      this.body,
      table({
        caption: "Columns of the file",
        head: ["Column", "Use", { label: "Lowest", class: "num" }, { label: "Highest", class: "num" }, { label: "Missing", class: "num" }, "Note"],
        rows: this.report.columns.map((each) => [
          each.name, this.useOf(each), figure(each.minimum), figure(each.maximum), count(each.missing), [each.name !== this.target && this.usable.includes(each.name) && each.role && `suggested: ${each.role}`, each.type, each.unit, each.note].filter(Boolean).join("; "),
        ]),
        stacked: true,
      }),
    );
  }

  useOf({ name, type }) {
    if (name === this.target) return h("span", { class: "badge busy" }, "predicted");
    if (!this.usable.includes(name)) return type === "date" ? "time" : "–";
    if (this.usable.length === 1) return "–";
    const input = select(USES, this.uses.get(name) ?? AUTOMATIC, { "aria-label": `Use of ${name}` });
    input.addEventListener("change", () => this.use(name, input.value));
    this.inputs.set(name, input);
    return input;
  }

  // The automatic choice is of all columns or of none.
  use(name, value) {
    this.touched = true;
    if (value === AUTOMATIC) this.uses.clear();
    else {
      for (const other of this.usable) if (!this.uses.has(other)) this.uses.set(other, UNUSED);
      this.uses.set(name, value);
    }
    for (const [other, input] of this.inputs) input.value = this.uses.get(other) ?? AUTOMATIC;
  }

  // Shows the choice of a recipe, unless another was made here.
  take({ features, known }, touched = false) {
    if (this.touched) return;
    this.touched = touched;
    this.uses.clear();
    if (features || known) for (const name of this.usable) this.uses.set(name, known?.includes(name) ? KNOWN : features?.includes(name) ? USED : UNUSED);
    this.show(this.target);
  }

  // The recipe's fields `features` and `known`.
  value() {
    const as = (use) => this.usable.filter((name) => name !== this.target && this.uses.get(name) === use);
    const used = as(USED);
    return { features: used.length ? [this.target, ...used] : null, known: this.uses.size ? as(KNOWN) : null };
  }
}

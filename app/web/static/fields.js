// Form fields that show their own errors, and problems shown beside their fields.

import { h, newId, say } from "./dom.js";

export class Field {
  constructor({ name, label, hint, input }) {
    this.name = name;
    this.input = input;
    input.id ||= newId("field");
    this.error = h("p", { class: "field-error", id: `${input.id}-error`, hidden: true });
    const about = [`${input.id}-error`];
    const parts = [h("label", { for: input.id }, label), input];
    if (hint) {
      const text = h("p", { class: "hint", id: `${input.id}-hint` }, hint);
      about.unshift(text.id);
      parts.push(text);
    }
    input.setAttribute("aria-describedby", about.join(" "));
    this.element = h("div", { class: "field" }, parts, this.error);
  }

  showError(message) {
    this.error.textContent = message;
    this.error.hidden = false;
    this.input.setAttribute("aria-invalid", "true");
  }

  clear() {
    this.error.hidden = true;
    this.input.removeAttribute("aria-invalid");
  }
}

export function select(options, value, given = {}) {
  return h(
    "select",
    given,
    options.map(([key, label]) => h("option", { value: String(key), selected: String(key) === String(value ?? "") }, label)),
  );
}

// Shows a problem; errors of fields on this page appear beside the fields.
export function showProblem(place, problem, fields = []) {
  for (const field of fields) field.clear();
  if (!problem) {
    place.replaceChildren();
    return;
  }
  const elsewhere = [];
  let first = null;
  for (const error of problem.errors ?? []) {
    const field = fields.find((each) => error.field === each.name || error.field?.startsWith(`${each.name}.`));
    if (field?.error.hidden) {
      field.showError(error.message);
      first ??= field;
    } else elsewhere.push(error);
  }
  const lines = elsewhere.filter((error) => !problem.message.includes(error.message));
  place.replaceChildren(
    h(
      "div",
      { class: "problem", role: "alert" },
      h("p", {}, problem.title && problem.status !== 422 && h("strong", {}, `${problem.title}. `), problem.message),
      lines.length > 0 && h("ul", {}, lines.slice(0, 20).map((error) => h("li", {}, where(error), error.message))),
    ),
  );
  if (first) {
    first.element.closest("details")?.setAttribute("open", "");
    first.input.focus();
    say(problem.message);
  }
}

function where(error) {
  const parts = [];
  if (error.row) parts.push(`row ${error.row}`);
  if (error.column) parts.push(`column ${error.column}`);
  if (error.field && !parts.length) parts.push(error.field);
  return parts.length ? `${parts.join(", ")}: ` : "";
}

// For a page that has nothing else to show.
export function failed(place, problem) {
  place.removeAttribute("aria-busy");
  showProblem(place, problem);
}

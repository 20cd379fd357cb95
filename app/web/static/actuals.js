// Actual values of a model's target: pasted, or in a file.

import { call } from "./api.js";
import { fill, h, say } from "./dom.js";
import { Field, showProblem } from "./fields.js";
import { plural } from "./format.js";
import { NotUnderstood, readPasted } from "./pasted.js";

// renewed: called after values were stored.
export function actualsForm(model, renewed) {
  const values = new Field({ name: "items", label: "Dates and values", hint: "A date and a value on each line.", input: h("textarea", { rows: 4, spellcheck: "false", placeholder: "2017-01-06 795.26" }) });
  const series = new Field({ name: "series", label: "Series", hint: "As in the requests; empty for those without one.", input: h("input", { maxlength: 200, spellcheck: "false" }) });
  const file = new Field({ name: "file", label: "or a file", hint: "A table with times, read like an upload.", input: h("input", { type: "file" }) });
  const fields = [values, series, file];
  const trouble = h("div", { "aria-live": "polite" });
  const go = h("button", { type: "submit", class: "primary" }, "Add actual values");
  const form = h("form", { novalidate: true }, h("div", { class: "fields" }, fields.map((each) => each.element)), trouble, go);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    showProblem(trouble, null, fields);
    go.disabled = true;
    try {
      const kept = await call("POST", "/actuals", file.input.files.length ? { form: fileOf(model, file) } : { json: { items: pasted(model, values, series) } });
      const told = `${plural(kept.new + kept.changed, "value")} stored, ${kept.unchanged} known before; ${plural(kept.matching, "forecast")} matched.`;
      form.reset();
      fill(trouble, h("p", { class: "done" }, told));
      say(told);
      renewed();
    } catch (error) {
      if (error instanceof NotUnderstood) {
        values.showError(error.message);
        values.input.focus();
      } else showProblem(trouble, error, fields);
    }
    go.disabled = false;
  });
  return form;
}

function fileOf(model, file) {
  const form = new FormData();
  form.append("model", model);
  form.append("file", file.input.files[0]);
  return form;
}

function pasted(model, values, series) {
  const { history, timestamps } = readPasted(values.input.value, ["value"]);
  if (!timestamps) throw new NotUnderstood("Each line takes a date and a value, such as 2017-01-06 795.26.");
  const label = series.input.value.trim();
  return timestamps.map((timestamp, row) => ({ model, timestamp, value: history[row], ...(label && { series: label }) }));
}

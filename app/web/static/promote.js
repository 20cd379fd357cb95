// Moves an alias: shows the comparison first and keeps the reason, which a version that is no better needs.

import { call, get } from "./api.js";
import { dialog, fill, h, put, say, table } from "./dom.js";
import { Field, showProblem } from "./fields.js";
import { count, figure as number, recipeInWords, signed } from "./format.js";
import { baselineName, overHorizon } from "./scorecard.js";

const whole = ({ scorecard }) => scorecard.series && overHorizon(scorecard.series);

export async function moveAlias({ model, number: to, alias, done }) {
  const from = model.aliases[alias];
  const numbers = [from ?? (alias === "champion" ? null : model.champion?.version), to].filter((each) => each);
  const versions = await Promise.all(numbers.map((each) => get(`/models/${model.name}/versions/${each}`)));
  const back = alias === "champion" && to < (from ?? 0);
  const doubtful = alias === "champion" && !back && !versions.at(-1).decision.promoted;
  const reason = new Field({ name: "reason", label: doubtful ? "Why, although it was not shown to be better" : "Why", hint: "Kept in the alias history.", input: h("input", { maxlength: 1000, required: doubtful }) });
  const force = h("input", { type: "checkbox" });
  const forceRow = h("label", { class: "check", hidden: true }, force, "Move it anyway");
  const trouble = h("div");
  const cancel = h("button", { type: "button" }, "Cancel");
  const title = `${back ? "Roll back to" : alias === "champion" ? "Promote" : "Shadow"} version ${to}`;
  const go = h("button", { type: "submit", class: doubtful ? "danger" : "primary" }, doubtful ? "Promote anyway" : title);
  const form = h("form", { novalidate: true }, comparison(versions), decisionOf(versions.at(-1)), reason.element, trouble, forceRow, h("div", { class: "acts" }, go, cancel));
  const box = dialog({ title, body: form });
  cancel.addEventListener("click", () => box.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    showProblem(trouble, null, [reason]);
    if (doubtful && !reason.input.value.trim()) {
      reason.showError("Say why it should be served all the same.");
      return reason.input.focus();
    }
    go.disabled = true;
    try {
      await call("PUT", `/models/${model.name}/aliases/${alias}`, { json: { version: to, reason: reason.input.value, ...(force.checked && { force: true }) } });
      box.close();
      say(`${alias} now points at version ${to}`);
      done();
    } catch (error) {
      showProblem(trouble, error, [reason]);
      if (error.status === 409) forceRow.hidden = false;
    }
    go.disabled = false;
  });
  reason.input.focus();
}

// Figures on different data cannot be compared, and the page says so.
function comparison(versions) {
  const head = ["Figure", ...versions.map((each) => `Version ${each.version}${each.aliases.includes("champion") ? " (champion)" : ""}`)];
  const row = (label, value) => [label, ...versions.map((each) => value(each) ?? "–")];
  const rows = [
    row("Verdict", (each) => each.scorecard.verdict),
    row("Skill", (each) => (each.scorecard.skill === null ? "not measured" : signed(each.scorecard.skill))),
    row("Recipe", (each) => recipeInWords(each.manifest.recipe)),
    row("Needs", (each) => `${each.manifest.min_history} past steps`),
  ];
  const [first] = versions;
  if (first.kind === "series") {
    rows.splice(
      2,
      0,
      row("RMSE", (each) => number(whole(each)?.model.rmse)),
      row(`RMSE: ${baselineName("persistence").toLowerCase()}`, (each) => number(whole(each)?.baselines.persistence?.rmse)),
      row("Judged on", (each) => each.scorecard.series && `${count(each.scorecard.series.rows)} rows${each.scorecard.series.start ? `, ${each.scorecard.series.start} to ${each.scorecard.series.end}` : ""}`),
    );
  } else {
    rows.splice(2, 0, row("Bits per token", (each) => number(each.scorecard.text?.bits_per_token)));
  }
  const place = h("div", {}, table({ caption: "The versions side by side", head, rows, stacked: true }));
  const judged = versions.map((each) => JSON.stringify([each.scorecard.series?.start, each.scorecard.series?.end, each.scorecard.series?.rows]));
  if (versions.length > 1 && new Set(judged).size > 1) put(place, h("p", { class: "warning" }, "They were judged on different rows, so their errors cannot be compared with each other, only with their own simple forecasts."));
  return place;
}

function decisionOf(version) {
  const place = h("div");
  if (!version.decision.promoted) fill(place, h("p", { class: "problem" }, h("strong", {}, "Not promoted after training: "), version.decision.reason));
  return place;
}

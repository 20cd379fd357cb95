// Evaluations of a version on other data, and a form for another one.

import { call, get } from "./api.js";
import { fill, h, say, table } from "./dom.js";
import { Field, showProblem } from "./fields.js";
import { count, signed, when } from "./format.js";
import { scorecardSummary } from "./scorecard.js";

const JUDGED = { test: "another dataset", "held-out": "the part of its own data that it was not fitted on", training: "rows that it was trained on" };

export function evaluations(version, part) {
  const path = `/models/${version.model}/versions/${version.version}`;
  const list = h("div");
  const one = h("div");
  const load = async () => {
    const { items } = await get(`${path}/evaluations?limit=20`);
    if (!items.length) return fill(list, h("p", { class: "hint" }, "Not evaluated on other data yet."));
    fill(
      list,
      table({
        caption: "Evaluations of this version",
        head: ["Evaluated", "Verdict", { label: "Skill", class: "num" }, { label: "Rows", class: "num" }, "Judged on", "Actions"],
        rows: items.map((each) => [when(each.created_at), each.verdict, each.skill === null ? "–" : signed(each.skill), count(each.rows), on(each), look(each)]),
        stacked: true,
      }),
    );
  };
  const look = (each) => {
    const button = h("button", { type: "button", class: "tight", "aria-label": `Show the figures of ${when(each.created_at)}` }, "Figures");
    button.addEventListener("click", () => get(`${path}/evaluations/${each.id}`).then((found) => show(one, found, version), (error) => showProblem(one, error)));
    return button;
  };
  const form = version.deleted_at ? null : measureForm(path, async (found) => {
    show(one, found, version);
    await load();
  });
  load().catch((error) => showProblem(list, error));
  return part("Evaluate on other data", list, one, form);
}

const on = (each) => [h("a", { href: `/ui/train?dataset=${each.dataset}` }, JUDGED[each.judged_on]), each.network === "judged" && h("span", { class: "quiet small" }, ", before refitting")];

function show(place, evaluation, version) {
  fill(place, h("h3", {}, `Evaluated ${when(evaluation.created_at)}`), scorecardSummary({ ...version, scorecard: evaluation.scorecard }));
  say(evaluation.verdict);
}

function measureForm(path, done) {
  const file = new Field({ name: "file", label: "Evaluate on another file", hint: "Rows that it was trained on are left out.", input: h("input", { type: "file", required: true }) });
  const go = h("button", { type: "submit" }, "Evaluate");
  const trouble = h("div");
  const form = h("form", { class: "row filters" }, file.element, go, trouble);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    showProblem(trouble, null, [file]);
    const body = new FormData();
    body.append("file", file.input.files[0]);
    try {
      await done(await call("POST", `${path}/evaluate`, { form: body }));
      form.reset();
    } catch (error) {
      showProblem(trouble, error, [file]);
    }
    go.disabled = false;
  });
  return form;
}

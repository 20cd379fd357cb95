// When a model is retrained: a form, and the decisions so far.

import { call, get, query } from "./api.js";
import { fill, h, say, table } from "./dom.js";
import { Field, failed, select, showProblem } from "./fields.js";
import { when } from "./format.js";

const NEVER = "", OTHER = "other";
const TIMES = [[NEVER, "not by time"], ["0 3 * * *", "every day at 3:00 UTC"], ["0 3 * * 1", "every Monday at 3:00 UTC"], ["0 3 1 * *", "on the 1st of each month at 3:00 UTC"], [OTHER, "at other times …"]];

// The card's content; series: whether the model is for series; renewed: called after a change.
export function retraining(model, { series, schedule, decisions, renewed }) {
  const { cron = null, next_at: next = null, thresholds = null } = schedule ?? {};
  const known = TIMES.some(([key]) => key === (cron ?? NEVER));
  const time = new Field({ name: "when", label: "Retrain", input: select(TIMES, known ? (cron ?? NEVER) : OTHER) });
  const own = new Field({ name: "cron", label: "Cron expression, UTC", hint: "Minute, hour, day of month, month, day of week: 0 3 * * 1.", input: h("input", { value: known ? "" : cron, spellcheck: "false" }) });
  const number = (name, label, value, hint) => new Field({ name: `thresholds.${name}`, label, hint, input: h("input", { inputmode: "decimal", value: value ?? "" }) });
  const [even, unit] = series ? ["repeating the last value", "forecasts"] : ["the n-gram; noted among the decisions, because the text to train on is the same", "texts"];
  const limits = {
    skill_below: number("skill_below", "If live skill falls below, %", thresholds?.skill_below === null || !thresholds ? "" : thresholds.skill_below * 100, `0: as good as ${even}. Empty: not by skill.`),
    ...(series && { coverage_off_by: number("coverage_off_by", "If coverage is off by, points", thresholds?.coverage_off_by, "Empty: not by coverage.") }),
    days: number("days", "Measured over, days", thresholds?.days ?? 7),
    forecasts: number("forecasts", `And at least, ${unit}`, thresholds?.forecasts ?? 50),
  };
  const fields = [time, own, ...Object.values(limits)];
  const trouble = h("div");
  const go = h("button", { type: "submit", class: "primary" }, "Save");
  const form = h("form", { novalidate: true }, h("div", { class: "fields" }, fields.map((each) => each.element)), trouble, go);
  const showOwn = () => (own.element.hidden = time.input.value !== OTHER);
  time.input.addEventListener("change", showOwn);
  showOwn();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    showProblem(trouble, null, fields);
    const chosen = time.input.value === OTHER ? own.input.value.trim() : time.input.value || null;
    const asked = thresholdsOf(limits, thresholds);
    try {
      if (chosen === null && asked === null) await call("DELETE", `/models/${model}/schedule`);
      else await call("PUT", `/models/${model}/schedule`, { json: { cron: chosen, thresholds: asked } });
      say("Saved");
      await renewed();
    } catch (error) {
      showProblem(trouble, error, fields);
    }
    go.disabled = false;
  });
  return [next && h("p", {}, `Next training ${when(next)}.`), form, past(model, decisions)];
}

// Null unless a figure is to trigger a training. What is not asked here stays as it was.
function thresholdsOf(limits, before) {
  const read = (name) => {
    const text = limits[name]?.input.value.trim() ?? "";
    return text === "" ? null : Number.isFinite(Number(text)) ? Number(text) : text;
  };
  if (read("skill_below") === null && read("coverage_off_by") === null) return null;
  const skill = read("skill_below");
  const rest = Object.fromEntries(["days", "forecasts"].map((name) => [name, read(name)]).filter(([, value]) => value !== null));
  return { ...before, skill_below: typeof skill === "number" ? skill / 100 : skill, coverage_off_by: read("coverage_off_by"), ...rest };
}

function past(model, decisions) {
  const list = h("div");
  const rows = [];
  const add = ({ items, next }) => {
    rows.push(...items);
    fill(list, rows.length > 0 && [h("h3", { class: "gap" }, "Alerts and retrainings"), table({ caption: "Alerts and retrainings", head: ["When", "Cause", "Trained", "Reason"], rows: rows.map((each) => [when(each.decided_at), each.cause, each.job ? h("a", { href: `/ui/train?job=${each.job}` }, "yes") : each.trained ? "yes" : "no", each.reason]), stacked: true })]);
    if (next) list.append(h("button", { class: "tight", onclick: () => get(`/models/${model}/decisions${query({ limit: 20, cursor: next })}`).then(add, (error) => failed(list, error)) }, "Older decisions"));
  };
  add(decisions);
  return list;
}

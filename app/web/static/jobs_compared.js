// Two trainings side by side: what differs between them, and their losses.

import { find } from "./api.js";
import { h, table } from "./dom.js";
import { capital, duration, figure as number, percent, signed } from "./format.js";
import { losses } from "./overlay.js";
import { overHorizon } from "./scorecard.js";

// jobs: with their recipes; both have ended.
export async function compared(...jobs) {
  const versions = await Promise.all(jobs.map((job) => (job.version ? find(`/models/${job.model}/versions/${job.version}`) : null)));
  const names = jobs.map((job) => (job.version ? `${job.model}@${job.version}` : `${job.model}, ${job.status}`));
  const figures = [
    ["Skill", (version) => (version.scorecard.skill === null ? "–" : signed(version.scorecard.skill))],
    ["RMSE", ({ scorecard: { series } }) => series && number(overHorizon(series).model.rmse)],
    ["Bits per character", ({ scorecard: { text } }) => text && number(text.bits_per_character)],
    ["Right", ({ scorecard: { text } }) => text && percent(text.correct / text.tokens)],
    ["Best epoch", ({ scorecard }) => scorecard.best_epoch],
    ["Trained in", ({ manifest }) => duration(manifest.training_seconds)],
  ];
  const rows = figures.map(([label, read]) => [label, ...versions.map((each) => (each ? (read(each) ?? "") : "–"))]).filter(([, ...cells]) => cells.some((cell) => cell !== ""));
  const fields = [...new Set(jobs.flatMap((job) => Object.keys(job.recipe)))];
  const said = (value) => (value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));
  const other = fields.map((field) => [capital(field.replaceAll("_", " ")), ...jobs.map((job) => said(job.recipe[field]))]).filter(([, one, two]) => one !== two);
  if (jobs[0].dataset !== jobs[1].dataset) other.unshift(["Data", ...jobs.map((job) => h("a", { href: `/ui/train?dataset=${job.dataset}` }, "dataset"))]);
  return [
    table({ caption: "Figures and differences", head: ["", ...names], rows: [...rows, ...other] }),
    !other.length && h("p", { class: "hint" }, "Same data, same recipe."),
    versions.every(Boolean) && losses(versions, names),
  ];
}

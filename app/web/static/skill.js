// Skill as a signed bar: worse than the simple forecast to the left, better to the right.

import { h } from "./dom.js";
import { signed } from "./format.js";

export const BASELINE = { series: "repeating the last value", text: "the n-gram beside it" };

export function skillWords(skill, kind) {
  if (skill === null || skill === undefined) return "skill not measured";
  if (Math.abs(skill) < 0.0005) return `as good as ${BASELINE[kind]}`;
  return `${signed(skill)}: ${skill > 0 ? "better" : "worse"} than ${BASELINE[kind]}`;
}

// Whether a version's skill is within noise.
export function isNoise({ kind, scorecard }) {
  const scores = scorecard.series?.all_steps ?? scorecard.series ?? scorecard.text;
  const reference = kind === "series" ? "persistence" : scores?.ngram_order ? "ngram" : "trigram";
  return scores?.against?.[reference]?.verdict === "within noise";
}

export function skillBar(skill, kind, { ends = false, label, noise = false } = {}) {
  const words = label ?? (noise ? `${signed(skill)}, within noise: no better and no worse than ${BASELINE[kind]}` : skillWords(skill, kind));
  if (skill === null || skill === undefined) {
    return h("div", { class: "skill" }, h("p", { class: "words unmeasured" }, words));
  }
  const side = `${skill < 0 ? "worse" : "better"}${noise ? " noise" : ""}`;
  const bar = h("i", { class: "fill" });
  bar.style.width = `${Math.min(Math.abs(skill), 1) * 50}%`;
  return h(
    "div",
    { class: `skill ${side}` },
    h("p", { class: "words" }, words),
    h("div", { class: "track", "aria-hidden": "true" }, bar, h("i", { class: "zero" })),
    ends && h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, "worse"), h("span", {}, "equal"), h("span", {}, "better")),
  );
}

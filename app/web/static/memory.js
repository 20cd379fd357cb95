// How far back a version's memory reaches: the gradient from the last step back through time.

import { find } from "./api.js";
import { h, put } from "./dom.js";
import { capital } from "./format.js";
import { colour, draw, figure } from "./plot.js";

export async function showMemory(element, name, version) {
  const memory = await find(`/models/${name}/versions/${version}/gradients`);
  if (!memory) return;
  put(element, h("h3", {}, "Memory"), h("p", {}, `${capital(memory.statement)}.`));
  // A network that adds nothing to its anchor has no gradient.
  if (memory.steps > 1 && memory.layers.some((layer) => layer.norms.some((norm) => norm > 0))) {
    const decay = figure({ caption: `Gradient norm, from the last step back through ${memory.steps}`, label: memory.statement, size: "low" });
    put(element, decay.whole);
    draw(
      decay.element,
      () =>
        memory.layers.map((layer, index) => ({
          name: `layer ${layer.layer + 1}`, x: layer.norms.map((_, step) => -step), y: layer.norms, mode: "lines+markers",
          line: { color: colour(index % 2 ? "persistence" : "forecast") },
        })),
      () => ({ yaxis: { type: "log", exponentformat: "none", nticks: 5 }, xaxis: { title: { text: "steps back" }, ...(memory.steps <= 20 && { dtick: 1 }) }, showlegend: memory.layers.length > 1 }),
    );
  }
  put(element, h("p", { class: "hint" }, `Measured on ${memory.measured_on}.`));
}

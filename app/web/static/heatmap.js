// Numbers by step and unit as colours, one pixel each, scaled up by the style sheet.

import { h, newId } from "./dom.js";
import { figure as number } from "./format.js";
import { colour } from "./plot.js";

const drawn = new Set();

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const again of drawn) again();
});

// grid: one list per step with one number per unit; signed: from -most to most, otherwise 0 to 1.
export function heatmap({ title, about, grid, steps, units, signed = false }) {
  const most = signed ? Math.max(1e-9, ...grid.flat().map(Math.abs)) : 1;
  const canvas = h("canvas", { width: grid.length, height: units.length, class: "heat", role: "img", "aria-label": `${title}: ${about}` });
  const told = h("p", { class: "hint told", id: newId("told") }, scale(signed, most));
  const paint = () => {
    const context = canvas.getContext("2d");
    const [low, none, high] = ["bad-fill", "sunk", "accent"].map((name) => channels(colour(name)));
    grid.forEach((values, step) =>
      values.forEach((value, unit) => {
        const part = Math.max(-1, Math.min(1, value / most));
        context.fillStyle = mix(none, part < 0 ? low : high, Math.abs(part));
        context.fillRect(step, unit, 1, 1);
      }),
    );
  };
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const step = Math.min(grid.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * grid.length)));
    const unit = Math.min(units.length - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * units.length)));
    told.textContent = `${steps[step]}, unit ${units[unit]}: ${number(grid[step][unit], 3)}`;
  });
  canvas.addEventListener("pointerleave", () => (told.textContent = scale(signed, most)));
  drawn.add(paint);
  paint();
  return h("figure", { class: "figure" }, h("figcaption", {}, h("strong", {}, title), ` – ${about}`), canvas, told);
}

const scale = (signed, most) => (signed ? `red −${number(most, 2)}, blue +${number(most, 2)}` : "pale 0, blue 1");

function channels(hex) {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

const mix = (from, to, part) => `rgb(${from.map((each, index) => Math.round(each + (to[index] - each) * part)).join(",")})`;

// A small line chart without axes: forecasts against what came.

import { h } from "./dom.js";

const WIDTH = 240, HEIGHT = 56, EDGE = 3;
const SVG = "http://www.w3.org/2000/svg";

// points: {actual, forecast}; label: what they are.
export function sparkline(points, label) {
  const values = points.flatMap((each) => [each.actual, each.forecast]);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (index) => (index / (points.length - 1)) * WIDTH;
  const y = (value) => HEIGHT - EDGE - ((value - low) / (high - low || 1)) * (HEIGHT - 2 * EDGE);
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label, class: "spark" })) svg.setAttribute(name, value);
  for (const key of ["actual", "forecast"]) {
    const line = document.createElementNS(SVG, "polyline");
    line.setAttribute("class", key);
    line.setAttribute("points", points.map((each, index) => `${x(index).toFixed(1)},${y(each[key]).toFixed(1)}`).join(" "));
    svg.append(line);
  }
  return h("figure", { class: "figure" }, svg, h("figcaption", { class: "small" }, h("span", { class: "of-forecast" }, "forecast"), " against ", h("span", { class: "of-actual" }, "actual"), `, ${label}`));
}

// The chart of a model's page: its forecasts, or their errors by step ahead or by origin.

import { h, fill } from "./dom.js";
import { colour, draw, figure } from "./plot.js";
import { heldOutPicture, horizonOf, judgedPoints, stepPicture } from "./scorecard.js";

export function heroPicture(version) {
  const { series } = version.scorecard;
  if (horizonOf(series) < 2) return heldOutPicture(version);
  const unit = series.pooled ? "in units of each series’ mean change from row to row" : `in the unit of ${version.manifest.series.target}`;
  const views = [["Forecast", () => heldOutPicture(version)], ["Error by step", () => stepPicture(series, unit)]];
  if (series.curve.some((each) => typeof each.horizon_rmse === "number")) views.push(["Error by origin", () => originPicture(version)]);
  const place = h("div");
  const buttons = views.map(([label, make]) => {
    const button = h("button", { type: "button", class: "tight", "aria-pressed": "false" }, label);
    button.addEventListener("click", () => {
      for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
      fill(place, make());
    });
    return button;
  });
  buttons[0].click();
  return h("div", {}, h("div", { class: "row views" }, buttons), place);
}

// Every origin is judged over the whole horizon.
function originPicture(version) {
  const { series } = version.scorecard;
  const { points, x, controls } = judgedPoints(version);
  const picture = figure({ caption: `RMSE over the next ${horizonOf(series)} steps, by the row forecast first`, label: "Line chart of the error by origin" });
  const redraw = () =>
    draw(
      picture.element,
      () => [{ name: "this version", x: x(), y: points().map((each) => each.horizon_rmse), mode: "lines", line: { color: colour("forecast"), width: 2 } }],
      () => ({ yaxis: { rangemode: "tozero", exponentformat: "none" }, showlegend: false }),
    );
  redraw();
  return h("div", {}, controls(redraw), picture.whole);
}

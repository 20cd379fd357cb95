// Versions of a model laid over each other: their forecasts of the judged rows, and their losses.

import { get } from "./api.js";
import { h } from "./dom.js";
import { failed } from "./fields.js";
import { colour, draw, figure } from "./plot.js";

const MOST = 4, LAST = 120;
const TONES = ["forecast", "persistence", "good-fill", "bad-fill"];

// Folded until asked for, because each version's scorecard is fetched; versions: newest first.
export function overlay(name, versions) {
  const newest = versions.filter((each) => !each.deleted_at).slice(0, MOST);
  if (newest.length < 2) return null;
  const details = h("details", {}, h("summary", {}, `The newest ${newest.length} versions, one over the other`));
  const load = async () => {
    const found = await Promise.all(newest.map((each) => get(`/models/${name}/versions/${each.version}`)));
    if (found.some((each) => each.scorecard.series?.curve.length)) details.append(forecasts(found));
    details.append(losses(found));
  };
  details.addEventListener("toggle", () => details.open && load().catch((error) => failed(details.appendChild(h("div")), error)), { once: true });
  return details;
}

function line(name, index, x, y) {
  return { name, x, y, mode: "lines", line: { color: colour(TONES[index]), width: 2 } };
}

// The last judged rows of the newest version's last series; versions judged on other rows have gaps.
function forecasts(versions) {
  const [{ scorecard }] = versions.filter((each) => each.scorecard.series?.curve.length);
  const { series } = scorecard.series.curve.at(-1);
  const own = (version) => (version.scorecard.series?.curve ?? []).filter((each) => each.series === series).slice(-LAST);
  const picture = figure({ caption: "Forecasts one step ahead, and the actual value", label: "Line chart of the forecasts of several versions" });
  const x = (points) => points.map((each, index) => each.time ?? index);
  draw(
    picture.element,
    () => [
      { name: "actual value", x: x(own(versions[0])), y: own(versions[0]).map((each) => each.actual), mode: "lines", line: { color: colour("actual"), width: 2 } },
      ...versions.map((each, index) => line(`version ${each.version}`, index, x(own(each)), own(each).map((point) => point.forecast))),
    ],
    () => ({ yaxis: { exponentformat: "none" }, showlegend: true }),
  );
  return picture.whole;
}

export function losses(versions, names = versions.map((each) => `version ${each.version}`)) {
  const picture = figure({ caption: "Validation loss by epoch; comparable where loss and scaling are the same", label: "Line chart of the losses of several versions", size: "mid" });
  draw(
    picture.element,
    () => versions.map((each, index) => line(names[index], index, each.scorecard.epochs.map((epoch) => epoch.epoch), each.scorecard.epochs.map((epoch) => epoch.validation_loss ?? epoch.loss))),
    () => ({ xaxis: { title: { text: "epoch" } }, yaxis: { type: "log", exponentformat: "none", nticks: 6 }, showlegend: true }),
  );
  return picture.whole;
}

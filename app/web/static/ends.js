// The end of a version's training data, to predict from.

import { find, get, query } from "./api.js";
import { h } from "./dom.js";
import { Field, select } from "./fields.js";

const LEAST = 60;
const MOST = 2000;

// A choice of its series; calls taken(label, future) when one was put into `into`: future has the values
// of the columns known ahead in the rows that follow. Null without data.
export async function endsOf(version, { into, taken = () => null, failed }) {
  const { manifest, lineage } = version;
  if (!lineage.dataset || manifest.min_history > MOST || manifest.series.categories?.length) return null; // words are not previewed
  const dataset = await find(`/datasets/${lineage.dataset}`);
  const labels = dataset?.report.series.map((each) => each.label) ?? [];
  if (!labels.length) return null;
  const many = labels.length > 1;
  const now = !into.value;
  const first = Math.max(0, dataset.report.series.findIndex((each) => each.rows >= manifest.min_history));
  const input = select([["-1", "Pasted values"], ...labels.map((label, index) => [index, many ? `End of ${label}` : "End of the training data"])], now ? String(first) : "-1");
  const field = new Field({ name: "series", label: "Input", input });
  const take = async () => {
    const chosen = input.value;
    if (chosen === "-1") return;
    const label = many ? labels[Number(chosen)] : null;
    const end = await endOf(lineage.dataset, manifest, label);
    if (input.value !== chosen) return; // something else was typed or chosen meanwhile
    into.value = end.past;
    taken(label, end.future);
  };
  input.addEventListener("change", () => take().catch(failed));
  into.addEventListener("input", () => (input.value = "-1"));
  if (now) await take();
  return h("div", {}, field.element);
}

async function endOf(dataset, manifest, label) {
  const { known, features } = manifest.series;
  const last = Math.max(LEAST, manifest.min_history) + (known.length ? manifest.horizon : 0);
  const columns = await Promise.all(features.map((each) => get(`/datasets/${dataset}/values${query({ column: each.name, series: label, last })}`)));
  const [{ times, values }] = columns;
  const rows = values.map((_, row) => columns.map((each) => each.values[row]));
  const complete = rows.findLastIndex((cells) => !cells.includes(null));
  const past = rows.map((cells, row) => [times?.[row], ...cells]).filter((cells) => !cells.includes(null));
  const future = Object.fromEntries(known.map((name) => [name, rows.slice(complete + 1).map((cells) => cells[features.findIndex((each) => each.name === name)])]));
  return { past: past.map((cells) => cells.filter((cell) => cell !== undefined).join(" ")).join("\n"), future };
}

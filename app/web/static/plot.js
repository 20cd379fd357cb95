// Charts by plotly.js, loaded for the first chart, in the colours of the page.

import { h, table } from "./dom.js";

let loading = null;

// plotly.js adds an inline style sheet for maps unless an element with this id exists. No map is drawn
// here.
const MAP_STYLES = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53";

function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = h("script", { src: document.body.dataset.plotly });
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => reject(new Error("plotly.js could not be loaded")));
    document.head.append(h("meta", { id: MAP_STYLES }), script);
  });
  return loading;
}

// plotly.js interprets tags in names; a column called <b> keeps its name.
export const plain = (name) => String(name).replaceAll("&", "&amp;").replaceAll("<", "&lt;");

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// The current charts, drawn again when the viewer switches between light and dark.
const drawn = new Map();

// From this width the names stand at the ends of the lines.
const ROOM = 560, LETTER = 7.5, LINE = 17;

for (const change of ["(prefers-color-scheme: dark)", "(max-width: 720px)"]) {
  matchMedia(change).addEventListener("change", () => {
    for (const [element, again] of drawn) {
      if (element.isConnected) again();
      else drawn.delete(element);
    }
  });
}

function dressed(layout) {
  const ink = colour("muted");
  const axis = { gridcolor: colour("line"), linecolor: colour("strong-line"), zerolinecolor: colour("strong-line"), automargin: true, tickfont: { size: 12 } };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, family: getComputedStyle(document.body).fontFamily, size: 13 },
    margin: { l: 50, r: 12, t: 8, b: 36 },
    hovermode: "x unified",
    dragmode: "zoom",
    hoverlabel: { bgcolor: colour("surface"), bordercolor: colour("line"), font: { color: colour("ink") } },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 13, color: colour("ink") } },
    ...layout,
    xaxis: { ...axis, ...layout.xaxis, ...(layout.xaxis?.title && { title: { ...layout.xaxis.title, font: { size: 13 } } }) },
    yaxis: { ...axis, ...layout.yaxis },
  };
}

// traces and layout are functions, so that they use the current colours.
export async function draw(element, traces, layout = () => ({})) {
  const Plotly = await plotly();
  const again = async () => {
    const shown = traces(), look = dressed(layout());
    const named = look.showlegend === false ? [] : shown.filter((each) => each.name && each.showlegend !== false);
    const isSwitched = named.some((each) => each.visible === "legendonly");
    const direct = !isSwitched && named.length > 1 && element.clientWidth >= ROOM && endTogether(named);
    if (!isSwitched) look.showlegend = false;
    if (direct) look.margin = { ...look.margin, r: Math.min(220, 20 + LETTER * Math.max(...named.map((each) => each.name.length))) };
    keys(element, direct || isSwitched || named.length < 2 ? [] : named);
    await Plotly.react(element, shown, look, { responsive: true, displayModeBar: false, doubleClick: "reset" });
    if (direct) await Plotly.relayout(element, { annotations: ends(element, named) });
  };
  await again();
  drawn.set(element, again);
  return Plotly;
}

const tone = ({ line, marker, fillcolor }) => (line?.width === 0 ? fillcolor : (line?.color ?? marker?.color));

const lastOf = ({ x, y }) => y.findLastIndex((value, index) => typeof value === "number" && x[index] !== undefined);

// Whether all traces are lines that end at the same place.
const endTogether = (traces) => traces.every((each) => each.type !== "bar" && each.x?.length && String(each.x.at(-1)) === String(traces[0].x.at(-1)) && lastOf(each) >= 0);

// Names in the colour of their lines, at the right of where these end, none over another.
function ends(element, traces) {
  const { yaxis, _size: size } = element._fullLayout;
  const places = traces.map((each) => ({ name: each.name, colour: tone(each), at: yaxis.d2p(each.y[lastOf(each)]) })).sort((a, b) => a.at - b.at);
  places.forEach((place, index) => {
    if (index) place.at = Math.max(place.at, places[index - 1].at + LINE);
  });
  let most = size.h;
  for (const place of places.toReversed()) {
    place.at = Math.min(place.at, most);
    most = place.at - LINE;
  }
  return places.map(({ name, colour: of, at }) => ({ text: plain(name), showarrow: false, xref: "paper", yref: "paper", x: 1, xshift: 6, xanchor: "left", y: 1 - at / size.h, yanchor: "middle", font: { size: 13, color: of.startsWith("rgba") ? colour("muted") : of } }));
}

// Where there is no room for that, the names stand in a line above the chart.
function keys(element, traces) {
  const line = element.previousElementSibling?.matches(".keys") ? element.previousElementSibling : h("p", { class: "keys small" });
  line.replaceChildren(
    ...traces.map((each) => {
      const mark = h("i", { class: each.line?.width === 0 || each.type === "bar" ? "patch" : "", "aria-hidden": "true" });
      mark.style.background = tone(each);
      return h("span", {}, mark, each.name);
    }),
  );
  if (traces.length && !line.isConnected) element.before(line);
}

export function figure({ caption, label, size = "", rows = null, head = null }) {
  const element = h("div", { class: `plot ${size}`, role: "img", "aria-label": label ?? caption });
  const whole = h("figure", { class: "figure" }, h("figcaption", {}, caption), element);
  if (rows) {
    const details = h("details", { class: "small" }, h("summary", {}, "Show as a table"));
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(table({ caption, head, rows: rows(), scroll: true }));
    });
    whole.append(details);
  }
  return { whole, element };
}

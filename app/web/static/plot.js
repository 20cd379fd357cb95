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

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [element, again] of drawn) {
    if (element.isConnected) again();
    else drawn.delete(element);
  }
});

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
    xaxis: { ...axis, ...layout.xaxis },
    yaxis: { ...axis, ...layout.yaxis },
  };
}

// traces and layout are functions, so that they use the current colours.
export async function draw(element, traces, layout = () => ({})) {
  const Plotly = await plotly();
  const again = () =>
    Plotly.react(element, traces(), dressed(layout()), { responsive: true, displayModeBar: false, doubleClick: "reset" });
  await again();
  drawn.set(element, again);
  return Plotly;
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

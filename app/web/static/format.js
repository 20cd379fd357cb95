// Formats numbers, times and skills.

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const count = (value) => WHOLE.format(value);

// A measured figure has four significant digits.
export function figure(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (value < 0) return `−${figure(-value, digits)}`;
  if (value !== 0 && (Math.abs(value) >= 1e9 || Math.abs(value) < 1e-4)) return value.toExponential(digits - 2);
  return new Intl.NumberFormat("en", { maximumSignificantDigits: Math.max(digits, String(Math.trunc(Math.abs(value))).length) }).format(value);
}

export const percent = (value, digits = 1) => `${new Intl.NumberFormat("en", { maximumFractionDigits: digits }).format(value * 100)} %`;

export const signed = (value) => {
  const points = Math.abs(value * 100);
  const figures = points.toFixed(points < 10 ? 1 : 0);
  return `${Number(figures) === 0 ? "" : value < 0 ? "−" : "+"}${figures} %`;
};

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export const when = (iso) => (iso ? WHEN.format(new Date(iso)) : "–");

export function ago(iso) {
  const seconds = (Date.now() - new Date(iso).getTime()) / 1000;
  for (const [size, name] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
    if (seconds >= size) return `${plural(Math.floor(seconds / size), name)} ago`;
  }
  return "just now";
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export function bytes(size) {
  if (size < 1024) return `${size} B`;
  const steps = ["kB", "MB", "GB"];
  let value = size / 1024;
  while (value >= 1024 && steps.length > 1) {
    value /= 1024;
    steps.shift();
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${steps[0]}`;
}

const FREQUENCIES = {
  ms: "millisecond", s: "second", min: "minute", h: "hour", D: "day", B: "business day", C: "open day", W: "week", SMS: "half-month", SME: "half-month",
  MS: "month", ME: "month", QS: "quarter", QE: "quarter", YS: "year", YE: "year",
};

export function frequency(code) {
  if (!code) return null;
  const [, times, unit] = /^(\d*)(.*)$/.exec(code);
  const name = FREQUENCIES[unit.split("-")[0]];
  if (!name) return code;
  return times && times !== "1" ? `every ${times} ${name}s` : `every ${name}`;
}

// Mon-Fri except XNYS: 2024-01-01, … becomes Mon-Fri except XNYS; dates without a name are counted.
export const calendar = (text) =>
  text?.replace(/ except (?:([A-Z0-9-]+): )?(\d.*)/, (_, name, dates) => ` except ${name ?? plural(dates.split(",").length, "day")}`);

export const recipeInWords = (recipe) =>
  `${recipe.preset} · ${recipe.cell.toUpperCase()}(${recipe.layers.join(", ")})` +
  (recipe.window ? ` · window ${recipe.window}` : "") +
  (recipe.horizon > 1 ? ` · horizon ${recipe.horizon}` : "");

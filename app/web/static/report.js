// The preflight report: a summary, the decisions with their reasons, what was left out.

import { facts, h, newId, table } from "./dom.js";
import { select } from "./fields.js";
import { count, figure, frequency, plural } from "./format.js";

const GUESS = "Auto-detected";
const UNSAID = "\u0000";
const DATE_ORDERS = [["ymd", "year, month, day"], ["mdy", "month, day, year"], ["dmy", "day, month, year"]];
const DELIMITERS = [[",", "comma"], [";", "semicolon"], ["\t", "tab"], ["|", "bar"], [" ", "blanks"]];
const DECIMALS = [[".", "point"], [",", "comma"]];
const LAYOUTS = [["table", "one row per time"], ["series_per_column", "one series per column"], ["series_per_row", "one series per row"], ["matrix", "calendar matrix"]];
const UNITS = ["s", "min", "h", "D", "B", "C", "W", "SMS", "MS", "ME", "QS", "QE", "YS", "YE"];
const CALENDARS = ["XNYS", "XLON", "XETR", "XJPX", "US", "GB", "DE", "Mon-Fri except none"];
const COUNTS = [
  ["years", "Years", [["ad", "as written"], ["be", "Buddhist era"]]],
  ["hours", "Hours", [["start", "the start of each"], ["end", "the end of each"]]],
];

const REASONS = 3;
const SUBJECTS = {
  kind: "Kind of file", encoding: "Encoding", sheet: "Sheet", delimiter: "Delimiter", header: "Column names", layout: "Layout", date: "Date column",
  date_order: "Order of day and month", years: "Calendar of the years", hours: "Hours", decimal: "Decimal sign", series: "Column that names the series",
  duplicates: "Duplicate timestamps", missing: "Missing values", frequency: "Step between rows", calendar: "Closed days", target: "Column to predict",
};

const named = (pairs, value) => pairs.find(([key]) => key === value)?.[1] ?? value;

export function inASentence(report) {
  if (report.kind === "text") {
    const text = report.text;
    return `A text of ${plural(text.words, "word")} in ${plural(text.lines, "line")}.`;
  }
  const parts = [report.series_count > 1 ? `${count(report.series_count)} series` : "One series"];
  parts.push(`${count(report.rows_used)} of ${plural(report.rows_in_file, "row")} used`);
  if (report.start) parts.push(`${report.start} to ${report.end}`);
  if (report.frequency) parts.push(frequency(report.frequency));
  return `${parts.join(", ")}.`;
}

const decided = (report, name) => report.decisions.find((each) => each.about === name);
const doubtsIn = (report) => report.decisions.filter((each) => each.certainty === "doubtful");

// One row per option: its name, its label, what was detected, why, and the choices.
function guesses(report) {
  const why = (name) => decided(report, name)?.reason;
  const columns = report.columns.map((column) => [column.name, column.name]);
  const series = report.kind !== "text";
  const rows = [["kind", "Kind", report.kind, why("kind"), [["series", "series"], ["text", "text"]]]];
  if (series) {
    rows.push(
      ["date", "Date columns", report.date?.columns.join(" and ") ?? "none", why("date"), [["", "no dates, rows are in order"], ...columns]],
      ["date_order", "Date order", named(DATE_ORDERS, report.date?.date_order) ?? written(report.date), why("date_order"), DATE_ORDERS],
      ["frequency", "Step", frequency(report.frequency) ?? "irregular", why("frequency"), UNITS, "for example D, h, 15min"],
      ["calendar", "Calendar", report.calendar ?? "none", why("calendar"), CALENDARS, "for example XNYS, DE, Mon-Sat or Mon-Fri 09:30-16:00"],
      ["decimal", "Decimal sign", named(DECIMALS, report.decimal), why("decimal"), DECIMALS],
      ["missing", "Missing values", decided(report, "missing")?.chosen ?? "usual marks", why("missing"), [], "for example -999.9"],
    );
    for (const [name, label, choices] of COUNTS) {
      if (decided(report, name)) rows.push([name, label, decided(report, name).chosen, why(name), choices]);
    }
  }
  rows.push(
    ["delimiter", "Delimiter", named(DELIMITERS, report.delimiter), why("delimiter"), DELIMITERS],
    ["encoding", "Encoding", report.encoding, why("encoding"), ["utf-8", "utf-16", "latin-1", "cp1252"], "for example utf-8"],
  );
  if (!series && columns.length) rows.push(["text", "Text column", report.columns.find((each) => each.used)?.name, null, columns]);
  if (report.sheet) rows.push(["sheet", "Sheet", report.sheet, why("sheet"), [], "its name"]);
  if (series) {
    rows.push(
      ["header", "Column names", report.header_row ? `row ${report.header_row}` : "none", why("header"), [["true", "first line"], ["false", "none"]]],
      ["layout", "Layout", named(LAYOUTS, report.layout), why("layout"), LAYOUTS],
      ["series", "Series columns", report.series_columns.join(", ") || "none: one series", why("series"), [["", "none: one series"], ...columns]],
      ["duplicates", "Duplicate timestamps", report.duplicates ? `${plural(report.duplicates.rows, "row")}: ${report.duplicates.handled}` : "none", null,
        [["error", "refuse"], ["last", "keep the last"], ["sum", "sum"], ["mean", "average"]]],
      ["gaps", "Gaps", report.gap_count ? `${plural(report.gap_count, "missing step")}: ${report.gaps_handled ?? "left"}` : "none", null,
        [["error", "refuse"], ["leave", "leave"], ["fill", "repeat the last value"], ["zero", "write 0"]]],
    );
  }
  return rows;
}

const written = (date) => date?.formats.map((each) => each.format).join(", ") ?? null;

// read: the options set so far; change(name, value): value undefined to detect it again.
function choice(read, change, [name, label, , , choices, free]) {
  const about = { "aria-label": `${label}: read as`, disabled: !change, "data-guess": name };
  const input = free ? typed(read[name], free, about) : select([[UNSAID, GUESS], ...choices], read[name] === undefined ? UNSAID : String(read[name]), about);
  input.addEventListener("change", () => {
    const raw = free ? input.value.trim() || UNSAID : input.value;
    change(name, raw === UNSAID ? undefined : name === "header" ? raw === "true" : raw);
  });
  return free ? h("span", {}, input, h("datalist", { id: `choices-${name}` }, choices.map((each) => h("option", { value: each }, frequency(each))))) : input;
}

// Every option, shown folded.
export function guessTable(report, read, change) {
  const rows = guesses(report).map((row) => [row[1], row[2] ?? "–", (row[3] ?? "").replace("as `read` says", "as set"), choice(read, change, row)]);
  return table({ caption: "How the file was read", head: ["Option", "Detected", "Reason", "Read as"], rows, stacked: true });
}

// The doubtful decisions, the most serious first, each as a choice of two readings.
// settle(options): reads the file again; null where that is not possible.
export function doubts(report, settle) {
  const open = doubtsIn(report);
  return open.length ? h("div", { class: "warning doubts" }, open.map((each) => doubt(each, settle))) : null;
}

function doubt(decision, settle) {
  const name = newId("doubt");
  const offer = (reading, options) => {
    const inUse = reading === decision.chosen;
    const radio = h("input", { type: "radio", name, checked: inUse, disabled: !settle || !(inUse || options) });
    if (!inUse && options) radio.addEventListener("change", () => settle(options));
    return h("label", { class: "choice" }, radio, h("span", {}, h("strong", {}, named(DATE_ORDERS, reading)), reasonsFor(decision, reading)));
  };
  const keep = h("button", { type: "button", class: "tight", disabled: !settle }, `Keep ${named(DATE_ORDERS, decision.chosen)}`);
  keep.addEventListener("click", () => settle(decision.confirm));
  return h(
    "fieldset",
    {},
    h("legend", {}, `Is this right? ${SUBJECTS[decision.about] ?? decision.about}`),
    h("div", { class: "choices" }, offer(decision.chosen, decision.confirm), decision.runner_up && offer(decision.runner_up, decision.settle)),
    decision.confirm && keep,
  );
}

// The evidence for a reading: first what a cell shows.
function reasonsFor(decision, reading) {
  const own = decision.evidence.filter((each) => each.reading === reading && each.points > 0);
  const byExample = [...own.filter((each) => each.cells.length), ...own.filter((each) => !each.cells.length)];
  return byExample.slice(0, REASONS).map((each) => h("span", { class: "reason" }, each.reason, each.cells.length > 0 && [": ", h("code", {}, each.cells[0].text)]));
}

const typed = (value, hint, about) => h("input", { ...about, value: value ?? "", placeholder: GUESS, title: hint, list: `choices-${about["data-guess"]}`, autocomplete: "off", spellcheck: "false" });

export function warningsOf(report) {
  const doubtful = doubtsIn(report).length;
  const lines = report.warnings.slice(doubtful);
  if (!lines.length) return null;
  return h("div", { class: "warning" }, h("p", {}, h("strong", {}, "Please check")), h("ul", {}, lines.map((line) => h("li", {}, line))));
}

export function leftOut(report) {
  const parts = [];
  if (report.rows_left_out.length) {
    parts.push(
      table({
        caption: "Rows left out",
        head: ["Reason", { label: "Rows", class: "num" }, "First lines"],
        rows: report.rows_left_out.map((each) => [each.reason, count(each.rows), each.numbers.join(", ")]),
      }),
    );
  }
  if (report.outliers.length) {
    parts.push(
      h("h3", {}, `${plural(report.outlier_count, "value")} that are possible outliers`),
      table({
        caption: "Values that are possible outliers",
        head: [{ label: "Line" }, "Time", "Column", { label: "Value", class: "num" }, { label: "Neighbours", class: "num" }],
        rows: report.outliers.map((each) => [each.row, each.time ?? "–", each.column, figure(each.value), figure(each.expected)]),
      }),
    );
  }
  if (report.cells) parts.push(h("p", { class: "quiet" }, cellsInASentence(report.cells)));
  return parts.length ? parts : h("p", { class: "quiet" }, "No rows were left out.");
}

function cellsInASentence(cells) {
  const left = cells.left_out.map((each) => `${count(each.cells)} left out: ${each.reason}`);
  const unused = cells.unused.map((each) => `${count(each.cells)} in the unused column ${each.column}`);
  return `Of ${plural(cells.in_file, "cell")} ${[`${count(cells.used)} are used`, ...left, ...unused].join("; ")}.`;
}

export const textFacts = (report) =>
  facts([["Characters", count(report.text.characters)], ["Words", count(report.text.words)], ["Lines", count(report.text.lines)]], "numbers");

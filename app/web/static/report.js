// The preflight report: a summary, the detected options with reasons, what was left out.

import { facts, h, table } from "./dom.js";
import { select } from "./fields.js";
import { count, figure, frequency, plural } from "./format.js";

const GUESS = "Auto-detected";
const UNSAID = "\u0000";
const DATE_ORDERS = [["ymd", "year, month, day"], ["mdy", "month, day, year"], ["dmy", "day, month, year"]];
const DELIMITERS = [[",", "comma"], [";", "semicolon"], ["\t", "tab"], ["|", "bar"], [" ", "blanks"]];
const DECIMALS = [[".", "point"], [",", "comma"]];
const LAYOUTS = [["table", "one row per time"], ["series_per_column", "one series per column"], ["series_per_row", "one series per row"]];
const ONE_BY_ONE = { table: "one row per time", series_per_column: "one series per column", series_per_row: "one series per row" };
const UNITS = ["s", "min", "h", "D", "B", "W", "MS", "ME", "QS", "QE", "YS", "YE"];

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

// One row per option: its name, what was detected, why, and how to change it.
function guesses(report) {
  const columns = report.columns.map((column) => [column.name, column.name]);
  const series = report.kind !== "text";
  const rows = [["kind", "Kind", report.kind, report.kind_reason, [["series", "series"], ["text", "text"]]]];
  if (series) {
    rows.push(
      ["date", "Date columns", report.date?.columns.join(" and ") ?? "none", report.date?.reason, [["", "no dates, rows are in order"], ...columns]],
      ["date_order", "Date order", named(DATE_ORDERS, report.date?.date_order) ?? written(report.date), null, DATE_ORDERS],
      ["frequency", "Step", frequency(report.frequency) ?? "irregular", report.frequency_reason, UNITS, "for example D, h, 15min"],
      ["decimal", "Decimal sign", named(DECIMALS, report.decimal), report.decimal_reason, DECIMALS],
    );
  }
  rows.push(
    ["delimiter", "Delimiter", named(DELIMITERS, report.delimiter), report.delimiter_reason, DELIMITERS],
    ["encoding", "Encoding", report.encoding, report.encoding_reason, ["utf-8", "utf-16", "latin-1", "cp1252"], "for example utf-8"],
  );
  if (!series && columns.length) rows.push(["text", "Text column", report.columns.find((each) => each.used)?.name, null, columns]);
  if (report.sheet) rows.push(["sheet", "Sheet", report.sheet, null, [], "its name"]);
  if (series) {
    rows.push(
      ["header", "Column names", report.header_row ? `row ${report.header_row}` : "none", report.header_reason, [["true", "first line"], ["false", "none"]]],
      ["layout", "Layout", ONE_BY_ONE[report.layout] ?? report.layout, null, LAYOUTS],
      ["series", "Series columns", report.series_columns.join(", ") || "none: one series", report.series_reason, [["", "none: one series"], ...columns]],
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
export function guessTable(report, read, change) {
  const rows = guesses(report).map(([name, label, found, reason, choices, free]) => {
    const about = { "aria-label": `${label}: read as`, disabled: !change, "data-guess": name };
    const input = free ? typed(read[name], free, about) : select([[UNSAID, GUESS], ...choices], read[name] === undefined ? UNSAID : String(read[name]), about);
    input.addEventListener("change", () => {
      const raw = free ? input.value.trim() || UNSAID : input.value;
      change(name, raw === UNSAID ? undefined : name === "header" ? raw === "true" : raw);
    });
    const whole = free ? h("span", {}, input, h("datalist", { id: `choices-${name}` }, choices.map((each) => h("option", { value: each }, frequency(each))))) : input;
    return [label, found ?? "–", (reason ?? "").replace("as `read` says", "as set"), whole];
  });
  return table({ caption: "How the file was read", head: ["Option", "Detected", "Reason", "Read as"], rows, stacked: true });
}

const typed = (value, hint, about) => h("input", { ...about, value: value ?? "", placeholder: GUESS, title: hint, list: `choices-${about["data-guess"]}`, autocomplete: "off", spellcheck: "false" });

export function warningsOf(report) {
  const lines = [...report.warnings, ...report.contradictions.map((each) => each.message)];
  if (report.constant.length) lines.push(`Constant: ${report.constant.join(", ")}.`);
  if (!lines.length) return null;
  return h("div", { class: "warning" }, h("p", {}, h("strong", {}, "Please check")), h("ul", {}, [...new Set(lines)].map((line) => h("li", {}, line))));
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
        caption: "Values that are possible outliers them",
        head: [{ label: "Line" }, "Time", "Column", { label: "Value", class: "num" }, { label: "Neighbours", class: "num" }],
        rows: report.outliers.map((each) => [each.row, each.time ?? "–", each.column, figure(each.value), figure(each.expected)]),
      }),
    );
  }
  return parts.length ? parts : h("p", { class: "quiet" }, "No rows were left out.");
}

export function columnTable(report) {
  return table({
    caption: "Columns of the file",
    head: ["Column", "Type", "Used", { label: "Lowest", class: "num" }, { label: "Highest", class: "num" }, { label: "Missing", class: "num" }, "Note"],
    rows: report.columns.map((each) => [
      each.name, each.type, each.used ? "yes" : "no", figure(each.minimum), figure(each.maximum), count(each.missing),
      [each.unit, each.note].filter(Boolean).join("; "),
    ]),
    stacked: true,
  });
}

export const textFacts = (report) =>
  facts([["Characters", count(report.text.characters)], ["Words", count(report.text.words)], ["Lines", count(report.text.lines)]], "numbers");

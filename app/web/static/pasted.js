// Parses pasted numbers: a list or a column of a spreadsheet, with or without dates.

import { isIso, isoDates } from "./dates.js";

const THOUSANDS = /^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$/;
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const DECIMAL_COMMA = /^[-+]?\d+,\d+$/;
const CURRENCY = /[$€£¥%]/g;

export class NotUnderstood extends Error {}

// The columns that a request to a version gives: its features, with a column of words in place of the
// features that stand for its words.
export function columnsOf({ features, known, categories = [] }) {
  const words = new Map(categories.flatMap((each) => each.features.map((feature) => [feature, each.name])));
  const named = (names) => [...new Set(names.map((name) => words.get(name) ?? name))];
  return { names: named(features.map((each) => each.name)), known: named(known), words: new Set(words.values()) };
}

// features: names of the input columns; words: those that hold words. Returns {history, timestamps, order, rows}; timestamps may be null,
// and so may the order of day and month.
export function readPasted(text, features, words = new Set()) {
  const cleaned = text.trim().replace(/^\[|\]$/g, "");
  if (!cleaned) throw new NotUnderstood("Paste past values, oldest first.");
  let lines = cleaned.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
  const { lines: dated, order } = isoDates(lines);
  const decimalComma = dated.some((line) => cellsOf(line).some((cell) => DECIMAL_COMMA.test(cell) && !THOUSANDS.test(cell))) && !/\d\.\d/.test(dated.join("\n")) && !(lines.length === 1 && /^[\d,+-]+$/.test(lines[0]));
  let rows = dated.map((line) => (words.size && line.includes("\t") ? line.split("\t").map((cell) => cell.trim()) : splitLine(line, decimalComma)));
  const isHeader = (cells) => cells.some((cell, at) => !words.has(features[at - cells.length + features.length]) && numberOf(cell, decimalComma) === null && !isIso(cell));
  if (rows.length > 1 && isHeader(rows[0])) {
    rows = rows.slice(1);
    lines = lines.slice(1);
  }
  if (rows.length === 1 && features.length === 1 && !isIso(rows[0][0])) rows = rows[0].map((cell) => [cell]);
  const timed = rows.every((row) => isIso(row[0]));
  const width = features.length + (timed ? 1 : 0);
  const columns = features.map(() => []);
  const timestamps = [];
  rows.forEach((row, index) => {
    if (row.length !== width) {
      const wanted = features.length === 1 ? "one value" : `${features.length} values (${features.join(", ")})`;
      throw new NotUnderstood(`Line ${index + 1} (“${lines[index]?.slice(0, 40) ?? row.join(" ")}”) should have ${wanted}, with or without a date before it.`);
    }
    if (timed) timestamps.push(row[0].replace(" ", "T"));
    row.slice(timed ? 1 : 0).forEach((cell, column) => {
      const value = words.has(features[column]) ? cell : numberOf(cell, decimalComma);
      if (value === null) throw new NotUnderstood(`Line ${index + 1}: “${cell.slice(0, 40)}” is not a number.`);
      columns[column].push(value);
    });
  });
  const history = features.length === 1 ? columns[0] : Object.fromEntries(features.map((name, column) => [name, columns[column]]));
  return { history, timestamps: timed ? timestamps : null, order, rows: rows.length };
}

const cellsOf = (line) => line.split(/[\t;]|,\s|\s+/).map((cell) => cell.replaceAll(CURRENCY, "").replaceAll('"', "").trim()).filter(Boolean);

function splitLine(line, decimalComma) {
  // A space within a time belongs to it.
  const joined = line.replace(/^("?\d{4}-\d{2}-\d{2}) (\d{2}:\d{2})/, "$1T$2");
  return cellsOf(joined).flatMap((cell) => (decimalComma || THOUSANDS.test(cell) || isIso(cell) ? [cell] : cell.split(",").filter(Boolean)));
}

function numberOf(cell, decimalComma) {
  const plain = decimalComma ? cell.replaceAll(".", "").replace(",", ".") : THOUSANDS.test(cell) ? cell.replaceAll(",", "") : cell;
  return NUMBER.test(plain) ? Number(plain) : null;
}

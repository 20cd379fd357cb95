// Dates as spreadsheets write them, in ISO form: 1/3/2017, 31.12.2024 10:30, 3 Jan 2017, Jan 3, 2017.

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const ISO = /^\d{4}-\d{2}(-\d{2})?([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?$/;
const NUMBERS = /^"?(\d{1,4})([./-])(\d{1,2})\2(\d{2,4})"?(?=$|[\s,;T])/;
const DAY_FIRST = /^"?(\d{1,2})[ -]([a-z]{3,9})\.?,?[ -](\d{4})"?(?=$|[\s,;])/i;
const MONTH_FIRST = /^"?([a-z]{3,9})\.? (\d{1,2}),? (\d{4})"?(?=$|[\s,;])/i;
const TIME = /^[ T]+(\d{1,2}):(\d{2})(:\d{2})?(?: ?([ap])m)?(?=$|[\s,;])/i;
const ORDERS = { mdy: "month, day, year", dmy: "day, month, year", ymd: "year, month, day" };

export const isIso = (text) => ISO.test(text);

// Lines whose first cells are such dates, with these in ISO form; and the order that was found, in
// words, where the numbers alone leave it open. Other lines are returned as they are.
export function isoDates(lines) {
  const found = lines.map(written);
  const numbers = found.filter((each) => each?.parts);
  const order = numbers.length ? orderOf(numbers.map((each) => each.parts)) : null;
  const iso = found.map((each) => each && (each.iso ?? isoOf(each.parts, order)));
  if (!iso.some(Boolean) || iso.some((each, row) => each === null && row > 0)) return { lines, order: null };
  return { lines: lines.map((line, row) => (iso[row] ? `${iso[row]}${found[row].time}${line.slice(found[row].length)}` : line)), order: order && ORDERS[order] };
}

function written(line) {
  const numbers = NUMBERS.exec(line);
  const named = numbers ? null : (DAY_FIRST.exec(line) ?? MONTH_FIRST.exec(line));
  const whole = (numbers ?? named)?.[0];
  if (!whole || isIso(whole)) return null;
  const time = TIME.exec(line.slice(whole.length));
  const about = { length: whole.length + (time?.[0].length ?? 0), time: time ? timeOf(time) : "" };
  if (numbers) return { ...about, parts: [numbers[1], numbers[3], numbers[4]].map(Number) };
  const [day, month] = Number.isNaN(Number(named[1])) ? [named[2], named[1]] : [named[1], named[2]];
  const at = MONTHS.indexOf(month.slice(0, 3).toLowerCase()) + 1;
  return at ? { ...about, iso: isoOf([Number(named[3]), at, Number(day)], "ymd") } : null;
}

function timeOf([, hour, minute, second = "", half]) {
  const hours = half ? (Number(hour) % 12) + (half.toLowerCase() === "p" ? 12 : 0) : Number(hour);
  return `T${two(hours)}:${minute}${second}`;
}

// The order in which every date exists; of two, the one with the steadier steps; else month first.
function orderOf(dates) {
  const possible = dates.every(([first]) => first > 31) ? ["ymd"] : ["mdy", "dmy"].filter((order) => dates.every((parts) => isoOf(parts, order)));
  return possible.toSorted((a, b) => steps(dates, a) - steps(dates, b))[0] ?? null;
}

function steps(dates, order) {
  const days = dates.map((parts) => Date.parse(isoOf(parts, order)));
  const differences = days.slice(1).map((day, row) => day - days[row]);
  return new Set(differences.map((each) => (each > 0 ? each : "back"))).size;
}

const two = (number) => String(number).padStart(2, "0");

function isoOf(parts, order) {
  if (!order) return null;
  const [day, month, year] = ["d", "m", "y"].map((letter) => parts[order.indexOf(letter)]);
  const full = year < 100 ? (year < 70 ? 2000 : 1900) + year : year;
  const date = new Date(Date.UTC(full, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? `${full}-${two(month)}-${two(day)}` : null;
}

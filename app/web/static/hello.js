// The chapter's worked example: an RNN with three units reads "hello"; any weight can be changed.

import { fill, h, newId } from "./dom.js";
import { figure as number } from "./format.js";
import { share } from "./token.js";

const LETTERS = ["h", "e", "l", "o"];
const START = {
  wxh: [[0.287027, 0.84606, 0.572392, 0.486813], [0.902874, 0.871522, 0.691079, 0.18998], [0.537524, 0.09224, 0.558159, 0.491528]],
  whh: [[0.427043]],
  bias: [[0.567001]],
  why: [[0.37168, 0.974829459, 0.830034886], [0.39141, 0.282585823, 0.659835709], [0.64985, 0.09821557, 0.334287084], [0.91266, 0.32581642, 0.144630018]],
};
const NAMES = { wxh: "letter to state", whh: "state to state", bias: "bias", why: "state to letter" };

// One step: state = tanh(W_xh x + w_hh state + bias), probabilities = softmax(W_hy state).
export function stepOf(weights, letter, state) {
  const column = LETTERS.indexOf(letter);
  const next = weights.wxh.map((row, unit) => Math.tanh(row[column] + weights.whh[0][0] * state[unit] + weights.bias[0][0]));
  const outputs = weights.why.map((row) => row.reduce((sum, weight, unit) => sum + weight * next[unit], 0));
  const top = Math.max(...outputs);
  const raised = outputs.map((each) => Math.exp(each - top));
  const total = raised.reduce((a, b) => a + b, 0);
  return { state: next, probabilities: raised.map((each) => each / total) };
}

export function helloByHand() {
  const weights = structuredClone(START);
  const shown = h("div", { "aria-live": "polite" });
  const inputs = h("div", { class: "weights" });
  const show = () => fill(shown, read(weights));
  const reset = h("button", { type: "button", class: "tight" }, "Restore the chapter’s weights");
  const put = () => fill(inputs, Object.keys(NAMES).map((name) => matrix(weights, name, show)));
  reset.addEventListener("click", () => {
    Object.assign(weights, structuredClone(START));
    put();
    show();
  });
  put();
  show();
  return h(
    "section",
    { class: "card", "aria-labelledby": "hello" },
    h("h2", { id: "hello" }, "“hello”, by hand"),
    h("p", {}, "The chapter’s network before training: three units read “hell”, letter by letter. Change a weight and see what it expects next."),
    h("div", { class: "grid2" }, h("div", {}, inputs, reset), shown),
  );
}

function matrix(weights, name, changed) {
  const id = newId("weights");
  return h(
    "fieldset",
    { "aria-labelledby": id },
    h("legend", { id }, NAMES[name]),
    weights[name].map((row, y) =>
      h(
        "div",
        { class: "weightrow" },
        row.map((value, x) => {
          const input = h("input", { type: "number", step: "0.05", value: String(Number(value.toFixed(4))), "aria-label": label(name, y, x) });
          input.addEventListener("input", () => {
            const given = Number(input.value);
            if (input.value === "" || !Number.isFinite(given)) return;
            weights[name][y][x] = given;
            changed();
          });
          return input;
        }),
      ),
    ),
  );
}

function label(name, y, x) {
  if (name === "wxh") return `from ${LETTERS[x]} to unit ${y + 1}`;
  if (name === "why") return `from unit ${x + 1} to ${LETTERS[y]}`;
  return NAMES[name];
}

function read(weights) {
  let state = [0, 0, 0];
  return ["h", "e", "l", "l"].map((letter, index) => {
    const step = stepOf(weights, letter, state);
    state = step.state;
    const wanted = "ello"[index];
    const best = LETTERS[step.probabilities.indexOf(Math.max(...step.probabilities))];
    return h(
      "div",
      { class: "readstep" },
      h("p", {}, "after ", h("strong", {}, letter), `, state (${state.map((each) => number(each, 4)).join(", ")}): it expects “${best}”, but the word continues with “${wanted}”`),
      h("ul", { class: "bars letters" }, LETTERS.map((each, at) => bar(each, step.probabilities[at], each === wanted))),
    );
  });
}

function bar(letter, probability, wanted) {
  const lane = h("i");
  lane.style.width = `${probability * 100}%`;
  return h("li", { class: wanted ? "wanted" : "" }, h("span", { class: "token" }, letter), h("span", { class: "lane" }, lane), h("span", { class: "share" }, share(probability)));
}

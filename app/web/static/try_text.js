// Continues a text: the most probable next tokens as bars; a click adds one of them.

import { call } from "./api.js";
import { fill, h, say } from "./dom.js";
import { Field, showProblem } from "./fields.js";
import { isNoise, skillBar } from "./skill.js";
import { snippets } from "./snippet.js";
import { stream } from "./stream.js";
import { quoted, share } from "./token.js";

const EXAMPLES = { "belling-the-cat": "long ago , the", hello: "h" };
const ALTERNATIVES = 8;
const MOST_WRITTEN = 200;

export class TextTrial {
  constructor(version, reference, last) {
    this.version = version;
    this.reference = reference;
    const { text } = version.manifest;
    this.joint = text.tokenizer === "word" ? " " : "";
    this.unit = text.tokenizer === "word" ? "word" : "character";
    this.prompt = new Field({
      name: "text",
      label: "What comes before",
      hint: version.manifest.window ? `Only the last ${version.manifest.window} ${this.unit}s count.` : `The whole text counts.`,
      input: h("textarea", { rows: 4, class: "prose", value: last?.text ?? EXAMPLES[version.model] ?? "" }),
    });
    this.temperature = new Field({
      name: "temperature",
      label: "Temperature",
      hint: "0 takes the most probable token; 1 samples from the probabilities; more is more random.",
      input: h("input", { inputmode: "decimal", value: "0" }),
    });
    this.trouble = h("div");
    this.next = h("button", { class: "primary", type: "submit" }, `Next ${this.unit}`);
    this.run = h("button", { type: "button" }, "Continue");
    this.answer = h("div", { class: "answer" }, h("div", { class: "card quiet" }, h("p", {}, "The most probable continuations appear here.")));
    const form = h("form", { class: "card", novalidate: true }, this.prompt.element, this.temperature.element, this.trouble, h("div", { class: "acts" }, this.next, this.run));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask();
    });
    this.run.addEventListener("click", () => (this.running ? this.stop() : this.writeOn()));
    this.prompt.input.addEventListener("input", () => (this.start = null));
    this.steps = []; // what was written since the text was changed by hand
    this.element = h("div", { class: "side" }, form, this.answer);
  }

  question() {
    const degree = this.temperature.input.value.trim();
    const question = { model: this.reference, text: this.prompt.input.value, top_k: Math.min(ALTERNATIVES, this.version.manifest.text.vocabulary.length) };
    if (degree && degree !== "0") question.temperature = Number.isFinite(Number(degree)) ? Number(degree) : degree;
    return question;
  }

  async ask() {
    const question = this.question();
    const fields = [this.prompt, this.temperature];
    showProblem(this.trouble, null, fields);
    try {
      const answer = await call("POST", "/predict", { json: { ...question, live: false } });
      await this.show(question, answer);
      this.answer.classList.remove("stale");
      say(`Most probable: ${quoted(answer.predictions[0].top[0].token)}`);
    } catch (error) {
      showProblem(this.trouble, error, fields);
      this.answer.classList.add("stale"); // it answers another question
    }
  }

  async show(question, answer) {
    const [step] = answer.predictions;
    this.showFrame();
    this.showWritten();
    this.choices(step);
    fill(this.warnings, answer.warnings.length > 0 && h("div", { class: "warning" }, h("ul", {}, answer.warnings.map((each) => h("li", {}, each)))));
    fill(this.trust, skillBar(answer.skill, "text", { noise: isNoise(this.version) }), h("p", { class: "hint" }, `${answer.model}, version ${answer.version}: ${this.version.scorecard.verdict}.`), h("p", { class: "hint" }, h("a", { href: `/ui/log?id=${answer.id}` }, "This answer in the log")));
    fill(this.code, await snippets("/predict", question));
  }

  showFrame() {
    this.shown ??= this.frame();
    if (!this.shown.isConnected) fill(this.answer, this.shown);
  }

  // The text as it was, then what was written; pressing a piece shows what stood beside it.
  showWritten() {
    if (this.start === null || this.start === undefined) return fill(this.written, this.prompt.input.value);
    fill(this.written, this.start, h("mark", {}, this.steps.map((step) => this.piece(step))));
  }

  piece(step) {
    if (!step.top) return step.text;
    const button = h("button", { type: "button", class: "piece", title: `${quoted(step.token)} ${share(step.probability)}` }, step.text);
    button.addEventListener("click", () => {
      this.choices(step);
      say(`Instead of ${quoted(step.token)}: ${step.top.map((each) => `${quoted(each.token)} ${share(each.probability)}`).join(", ")}`);
    });
    return button;
  }

  choices(step) {
    fill(this.bars, step.top.map((each) => this.bar(each, step.token)));
  }

  frame() {
    this.written = h("p", { class: "written" });
    this.bars = h("ul", { class: "bars" });
    this.warnings = h("div");
    this.trust = h("div");
    this.code = h("div");
    return h("div", { class: "card" }, this.written, h("h2", {}, `Next ${this.unit}: press one to add it`), this.bars, this.warnings, h("h2", { class: "gap" }, "Reliability"), this.trust, this.code);
  }

  bar({ token, probability }, chosen) {
    const fillIn = h("i");
    fillIn.style.width = `${probability * 100}%`;
    const shown = quoted(token);
    const button = h(
      "button",
      { type: "button", "aria-label": `Write ${shown}, ${share(probability)}` },
      h("span", { class: "token" }, shown, token === chosen && h("span", { class: "sr" }, " (taken)")),
      h("span", { class: "lane" }, fillIn),
      h("span", { class: "share" }, share(probability)),
    );
    button.addEventListener("click", async () => {
      this.write(token);
      await this.ask();
      this.bars.querySelector("button")?.focus();
    });
    return h("li", {}, button);
  }

  write(token) {
    const { value } = this.prompt.input;
    this.add({ text: (value && !value.endsWith(this.joint) ? this.joint : "") + token });
  }

  add(step) {
    const { input } = this.prompt;
    if (this.start === null || this.start === undefined) [this.start, this.steps] = [input.value, []];
    this.steps.push(step);
    input.value += step.text;
  }

  async writeOn() {
    this.running = new AbortController();
    this.run.textContent = "Stop";
    this.showFrame();
    showProblem(this.trouble, null, [this.prompt, this.temperature]);
    const heard = (step) => {
      this.add(step);
      this.showWritten();
      this.choices(step);
    };
    try {
      await stream("/predict", { ...this.question(), steps: MOST_WRITTEN, live: false }, heard, this.running.signal);
    } catch (error) {
      if (this.running) showProblem(this.trouble, error, [this.prompt, this.temperature]);
    }
    this.stop();
  }

  stop() {
    this.running?.abort();
    this.running = null;
    this.run.textContent = "Continue";
  }
}

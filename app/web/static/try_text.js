// Continues a text: the most probable next tokens as bars; a click adds one of them.

import { call } from "./api.js";
import { fill, h, say } from "./dom.js";
import { Field, showProblem } from "./fields.js";
import { percent } from "./format.js";
import { isNoise, skillBar } from "./skill.js";
import { snippets } from "./snippet.js";

const EXAMPLES = { "belling-the-cat": "long ago , the", hello: "h" };
const ALTERNATIVES = 8;
const MOST_WRITTEN = 200;
const PAUSE = 250;

const share = (probability) => (probability < 0.001 ? "< 0.1 %" : probability < 1 && probability > 0.999 ? "> 99.9 %" : percent(probability));

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
    this.element = h("div", { class: "side" }, form, this.answer);
  }

  async ask({ quietly = false } = {}) {
    const degree = this.temperature.input.value.trim();
    const question = { model: this.reference, text: this.prompt.input.value, top_k: Math.min(ALTERNATIVES, this.version.manifest.text.vocabulary.length) };
    if (degree && degree !== "0") question.temperature = Number.isFinite(Number(degree)) ? Number(degree) : degree;
    const fields = [this.prompt, this.temperature];
    showProblem(this.trouble, null, fields);
    try {
      const answer = await call("POST", "/predict", { json: question });
      await this.show(question, answer);
      if (!quietly) say(`Most probable: ${answer.predictions[0].top[0].token}`);
      return answer;
    } catch (error) {
      if (!quietly) showProblem(this.trouble, error, fields);
      return null;
    }
  }

  async show(question, answer) {
    const [step] = answer.predictions;
    const bars = step.top.map((each) => this.bar(each, step.token));
    this.shown ??= this.frame();
    if (!this.shown.isConnected) fill(this.answer, this.shown);
    const begun = this.start ?? question.text;
    const written = question.text.slice(begun.length);
    fill(this.written, begun, written && h("mark", {}, written));
    fill(this.bars, bars);
    fill(this.warnings, answer.warnings.length > 0 && h("div", { class: "warning" }, h("ul", {}, answer.warnings.map((each) => h("li", {}, each)))));
    fill(this.trust, skillBar(answer.skill, "text", { noise: isNoise(this.version) }), h("p", { class: "hint" }, `${answer.model}, version ${answer.version}: ${this.version.scorecard.verdict}.`), h("p", { class: "hint" }, h("a", { href: `/ui/log?id=${answer.id}` }, "This answer in the log")));
    fill(this.code, await snippets("/predict", question));
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
    const shown = token === "\n" ? "⏎" : token === " " ? "␣" : token;
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
    const { input } = this.prompt;
    this.start ??= input.value;
    const glue = input.value && !input.value.endsWith(this.joint) ? this.joint : "";
    input.value += glue + token;
  }

  async writeOn() {
    this.running = true;
    this.run.textContent = "Stop";
    for (let written = 0; this.running && written < MOST_WRITTEN; written += 1) {
      const answer = await this.ask({ quietly: true });
      if (!answer || !this.element.isConnected) {
        if (!answer) await this.ask();
        break;
      }
      this.write(answer.predictions[0].token);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    this.stop();
    await this.ask({ quietly: true });
  }

  stop() {
    this.running = false;
    this.run.textContent = "Continue";
  }
}

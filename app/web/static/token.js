// Tokens and their probabilities, in the same form on every page.

import { percent } from "./format.js";

// A probability; certainty is only claimed where it is certain.
export const share = (value) => (value < 0.001 ? "< 0.1 %" : value < 1 && value > 0.999 ? "> 99.9 %" : percent(value));

// A token, quoted unless it is a word, so that a comma or a space can be seen.
export const quoted = (token) => (/^[\p{L}\p{M}\p{N}]+$/u.test(token) ? token : `“${token.replaceAll(" ", "␣").replaceAll("\n", "⏎")}”`);

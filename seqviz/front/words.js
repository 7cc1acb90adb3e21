// The words of a text, and how a picture shows them.

import { copy } from "./grid.js";

const SPACE = /[ \t\n\r\f\v\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;
const PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const ROWS = 12;
export const UNKNOWN = "? ";

function strip(piece) {
  let [a, b] = [0, piece.length];
  while (a < b && PUNCTUATION.includes(piece[a])) a++;
  while (b > a && PUNCTUATION.includes(piece[b - 1])) b--;
  return piece.slice(a, b);
}

// words() in seqviz/tasks/text.py.
export const words = (text) => text.toLowerCase().split(SPACE).map(strip).filter(Boolean);

function count(text, n) {
  const tokens = words(text);
  const bag = new Map();
  for (let i = 0; i + n <= tokens.length; i++) {
    const gram = tokens.slice(i, i + n).join(" ");
    bag.set(gram, (bag.get(gram) ?? 0) + 1);
  }
  return bag;
}

// Lengths count characters, as Python does.
export function short(word, limit) {
  const letters = [...word];
  return letters.length > limit ? letters.slice(0, limit - 1).join("") + "…" : word;
}

// escape() and marked() in seqviz/plots/style.py.
export function escape(token, limit = 24) {
  const safe = short(token, limit)
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return "\u2068" + safe + "\u2069";
}
export const marked = (words, unknown) =>
  words.map((word, i) => (unknown[i] ? UNKNOWN : "") + escape(word, 12));

export const unit = (n, total) => (n === 1 ? "word" : `${n}-gram`) + (total === 1 ? "" : "s");

function compare(first, second, labels, n) {
  const total = labels.length;
  if (!total) return `There is no ${unit(n, 1)} to count yet: type two sentences.`;
  const more = total > ROWS ? ` The figure shows the first ${ROWS}.` : "";
  const differ = labels.filter((l) => (first.get(l) ?? 0) !== (second.get(l) ?? 0)).length;
  return differ
    ? `The two bags differ in ${differ} of ${total} ${unit(n, total)}: a model that sees the bag can tell these sentences apart.${more}`
    : `The two bags are equal: ${total} ${unit(n, total)}, counted alike. A model that sees only the bag cannot tell these sentences apart.${more}`;
}

// bags() in seqviz/plots/text.py: the same figure from the reader's two sentences.
export function compareBags(base, positions, controls) {
  const n = controls.find((c) => c.name === "n").values[positions.n];
  const bag = [count(positions.first, n), count(positions.second, n)];
  const labels = [...new Set([...bag[0].keys(), ...bag[1].keys()])];
  const shown = labels.slice(0, ROWS);
  const rows = shown.map((_, i) => i);
  const counts = bag.map((b) => shown.map((label) => b.get(label) ?? 0));
  const most = Math.max(1, ...counts[0], ...counts[1]);
  const [figure] = copy(base);
  figure.data.forEach((trace, i) => Object.assign(trace, { x: counts[i], y: rows }));
  const { xaxis, yaxis } = figure.layout;
  xaxis.title.text = `Times the ${unit(n, 1)} occurs`;
  Object.assign(xaxis, { range: [0, most + 0.2], dtick: Math.ceil(most / 8) });
  Object.assign(yaxis, {
    tickvals: rows, ticktext: shown.map((label) => escape(label)), range: [Math.max(shown.length, 3) - 0.5, -0.5],
  });
  figure.layout.meta = { description: compare(bag[0], bag[1], labels, n) };
  return [figure];
}

// typed_translation() in seqviz/plots/alignment.py: the same figure from a date the reader types.

import { copy } from "./grid.js";
import { fixed, rint, said } from "./rounded.js";
import { escape, marked } from "./words.js";

const END = "[end]";
const WRONG = "✗ ";
const range = (count) => Array.from({ length: count }, (_, i) => i);
const listed = (words) => [...new Set(words)].map((word) => `“\u2068${word}\u2069”`).join(", ");

// The part of an array of one language: a list of rows, or of numbers.
function ofLanguage({ data, dims: [, ...dims] }, at) {
  const size = dims.reduce((a, b) => a * b, 1);
  const part = Array.from(data.subarray(at * size, (at + 1) * size), Number);
  if (dims.length === 1) return part;
  return range(dims[0]).map((i) => part.slice(i * dims[1], (i + 1) * dims[1]));
}

// alignment_map().
function alignmentMap(base, { weights, entropy, source, written, right, wrong, unknown }) {
  const [rows, columns] = [written.length, source.length];
  const [figure] = copy(base);
  const { xaxis, yaxis, xaxis2 } = figure.layout;
  figure.layout.height = 190 + 34 * rows;
  Object.assign(xaxis, {
    tickangle: columns < 6 ? -40 : -65, tickvals: range(columns), ticktext: marked(source, unknown),
    range: [-0.5, Math.max(columns, 1) - 0.5],
  });
  Object.assign(yaxis, {
    tickvals: range(rows), range: [Math.max(rows, 1) - 0.5, -0.5],
    ticktext: written.map((word, i) => (wrong[i] ? WRONG : "") + escape(word, 12)),
  });
  xaxis2.range = [0, 1.06 * Math.log2(Math.max(columns, 2))];
  const [heat, outlines, bars] = figure.data;
  heat.z = weights.map((row) => row.map((weight) => rint(100 * weight)));
  const places = range(rows).filter((i) => right[i] >= 0);
  Object.assign(outlines, { x: places.map((i) => right[i]), y: places });
  outlines.marker.size = columns < 6 ? 20 : 11;
  Object.assign(bars, { x: entropy.map((bits) => rint(100 * bits) / 100), y: range(rows) });
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const share = (100 * sum(places.map((i) => weights[i][right[i]]))) / places.length;
  const sentence = places.length
    ? `${fixed(share, 0)} % of the weight is on the right words (outlined); mean entropy ${fixed(sum(entropy) / rows, 1)} bits.`
    : "";
  return [figure, sentence];
}

export function typedDate(base, positions, controls, reading) {
  const { words, unknown, note, results, facts, vocabulary } = reading;
  const language = controls.find((c) => c.name === "language").values[positions.language];
  if (!results.written) {
    const nothing = { weights: [], entropy: [], written: [], right: [], wrong: [] };
    const [empty] = alignmentMap(base, { ...nothing, source: words, unknown });
    empty.layout.meta = said("The model reads dates in English: type one, such as Tuesday 5 March 2024.", note);
    return [empty];
  }
  const at = facts.targets.indexOf(language);
  const tokens = ofLanguage(results.written, at).map((token) => vocabulary[token]);
  const rows = tokens.includes(END) ? tokens.indexOf(END) + 1 : tokens.length;
  const written = tokens.slice(0, rows);
  const weights = ofLanguage(results.weights, at).slice(0, rows).map((row) => row.slice(-words.length));
  const entropy = ofLanguage(results.entropy, at).slice(0, rows);
  const asked = new Map(); // where each part of the date stands: its first place counts
  words.forEach((word, place) => {
    const field = Object.hasOwn(facts.fields, word) ? facts.fields[word] : null;
    if (field && !asked.has(field)) asked.set(field, place);
  });
  const names = facts.names[language];
  const open = new Map([...asked].map(([field, place]) => [field, names[words[place]] ?? words[place]]));
  const [right, wrong] = [[], []];
  written.forEach((word, row) => {
    const fits = [...open.keys()].filter((field) => open.get(field) === word);
    // Two parts can be the same number; then the usual place decides.
    const usual = facts.rows[language][row];
    const field = fits.includes(usual) ? usual : fits[0];
    right.push(field ? asked.get(field) : -1);
    wrong.push(!field && word !== END && !facts.literals[language].includes(word));
    open.delete(field);
  });
  const [figure, sentence] = alignmentMap(base, { weights, entropy, source: words, written, right, wrong, unknown });
  const lost = [...open.keys()].map((field) => words[asked.get(field)]);
  const made = written.filter((_, i) => wrong[i]);
  figure.layout.meta = said(
    asked.size
      ? `Translated: ${asked.size - open.size} of ${asked.size} parts of a date.`
      : "No word is a part of a date in English.",
    lost.length ? `Lost: ${listed(lost)}.` : "", made.length ? `Made up, or said again: ${listed(made)}.` : "",
    sentence, note);
  return [figure];
}

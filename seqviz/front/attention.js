// attention_step() in seqviz/plots/attention.py: the same figures from the reader's own sentence.

import { copy } from "./grid.js";
import { fixed, said } from "./rounded.js";
import { marked } from "./words.js";

const STEPS = [
  ["queries", "queries Q", "dimension"], ["keys", "keys K", "dimension"],
  ["scores", "scores QKᵀ", "word"], ["scaled", "scores ÷ √d", "word"],
  ["weights", "weights", "word"], ["values", "values V", "dimension"],
  ["output", "output", "dimension"],
];
const DIVERGING = [[0, "#2c6fbb"], [0.25, "#8fb5dc"], [0.5, "#e9e7e2"], [0.75, "#e2a08c"], [1, "#bf3b2b"]];
const PALE = [[0, "rgba(127,135,146,0.10)"], [0.1, "#9cbfee"], [1, "#1c5bb4"]];
const [UPRIGHT, SMALL] = [10, 16];

const indexOf = (row, best) => row.reduce((at, v, i) => (best(v, row[at]) ? i : at), 0);
const largestOf = (row) => indexOf(row, (a, b) => a > b);
const range = (count) => Array.from({ length: count }, (_, i) => i);

// One head of an array (head, row, column), without the padding before `count` words.
function ofWords({ data, dims: [, rows, columns] }, head, count, kind) {
  const from = kind === "word" ? columns - count : 0;
  return range(count).map((i) => {
    const start = (head * rows + rows - count + i) * columns;
    return Array.from(data.subarray(start + from, start + columns));
  });
}

function sentence(name, words, row, query, size, weights) {
  const word = words[query];
  const best = largestOf(row);
  if (["queries", "keys", "values"].includes(name)) {
    const role = { queries: "asks with", keys: "is found by", values: "has to say" }[name];
    return `Each word is projected to ${size} numbers: what “${word}” ${role}.`;
  }
  if (name === "scores") {
    return `Every query is multiplied with every key. For “${word}” the key of “${words[best]}” fits best: ${fixed(row[best], 2)}.`;
  }
  if (name === "scaled") {
    return `Divided by √${size} ≈ ${fixed(Math.sqrt(size), 2)}, so that scores do not grow with the width: the best of “${word}” is now ${fixed(row[best], 2)}.`;
  }
  if (name === "weights") {
    return `The softmax makes each row positive with the sum 1. “${word}” gives ${fixed(100 * row[best], 0)} % of its attention to “${words[best]}”; an even share would be ${fixed(100 * (1 / words.length), 0)} %.`;
  }
  const weight = weights()[query];
  const top = largestOf(weight);
  return `What “${word}” takes home: the mean of all values by its weights, ${fixed(100 * weight[top], 0)} % of it from “${words[top]}”.`;
}

export function attentionSteps(base, positions, controls, { words, unknown, note, results }) {
  const value = (name) => controls.find((c) => c.name === name).values[positions[name]];
  const [name, label, kind] = STEPS[value("step") - 1];
  const [query, head, count] = [value("query") - 1, positions.head, words.length];
  const of = (key, columns) => (count ? ofWords(results[key], head, count, columns) : []);
  const matrix = of(name, kind);
  const shown = marked(words, unknown);
  const columns = kind === "word" ? shown : range(matrix[0]?.length ?? 0).map((i) => String(i + 1));
  const title = kind === "word" ? "Key: the word looked at" : "Dimension";
  const largest = count ? Math.max(...matrix.flat().map(Math.abs)) : 1;
  const positive = name === "weights";
  const row = Math.min(query, count - 1);
  const ticks = {
    tickvals: range(columns.length), ticktext: columns,
    tickangle: kind === "word" ? (count > UPRIGHT ? -90 : -60) : 0,
  };
  if (kind === "word" && count > SMALL) ticks.tickfont = { size: 9 };
  const [whole, bars] = copy(base);
  for (const figure of [whole, bars]) {
    figure.layout.height = Math.max(400, 130 + 22 * count);
    figure.layout.xaxis.title.text = title;
    delete figure.layout.xaxis.tickfont;
    Object.assign(figure.layout.xaxis, ticks);
  }
  const { yaxis } = whole.layout;
  yaxis.title.text = { keys: "Key", values: "Value" }[name] ?? "Query: the word that looks";
  Object.assign(yaxis, {
    tickvals: range(count), ticktext: shown, range: [Math.max(count, 1) - 0.5, -0.5],
  });
  const [heat] = whole.data;
  Object.assign(heat, {
    z: matrix, xgap: Number(count <= UPRIGHT), ygap: Number(count <= UPRIGHT),
    colorscale: positive ? PALE : DIVERGING,
    zmin: positive ? 0 : -largest, zmax: positive ? 1 : largest,
    customdata: shown.map((word) => columns.map((column) => `${word} → ${column}`)),
  });
  heat.colorbar.title.text = label;
  Object.assign(whole.layout.shapes[0], { x1: columns.length - 0.5, y0: row - 0.5, y1: row + 0.5 });
  Object.assign(bars.data[0], { x: range(columns.length), y: count ? matrix[row] : [] });
  const ofWord = count ? `, row “${shown[row]}”` : "";
  bars.layout.yaxis.title.text = label[0].toUpperCase() + label.slice(1) + ofWord;
  bars.layout.yaxis.range = positive ? [0, 1.05] : [-1.1 * largest, 1.1 * largest];
  if (!count) {
    whole.layout.meta = said("There is no word to look at yet: type a sentence.");
    bars.layout.meta = said("Here you will see the row of one word.");
    return [whole, bars];
  }
  const values = matrix[row];
  const [least, most] = [indexOf(values, (a, b) => a < b), largestOf(values)];
  const place = (i) => (kind === "word" ? `“${words[i]}”` : `dimension ${columns[i]}`);
  const size = results.queries.dims[2];
  whole.layout.meta = said(
    sentence(name, words, values, row, size, () => of("weights", "word")),
    row === query ? "" : `There is no word ${query + 1}: the last word looks.`, note);
  bars.layout.meta = said(`The row of “${words[row]}” runs from ${fixed(values[least], 2)} at ${place(least)} to ${fixed(values[most], 2)} at ${place(most)}.`);
  return [whole, bars];
}

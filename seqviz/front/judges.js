// judged_sentence() in seqviz/plots/text.py: the same figures from the reader's own sentence.

import { copy } from "./grid.js";
import { fixed, said } from "./rounded.js";
import { UNKNOWN, escape, unit } from "./words.js";

const range = (count) => Array.from({ length: count }, (_, i) => i);

function evidence(grams, values, n, pair) {
  if (!grams.length) return `The sentence is too short for a ${unit(n, 1)}.`;
  const sizes = values.map(Math.abs);
  const top = sizes.indexOf(Math.max(...sizes));
  return `The weightiest ${unit(n, 1)} is “${grams[top].join(" ")}”: ${fixed(sizes[top], 2)} for “${values[top] > 0 ? pair[1] : pair[0]}” first.`;
}

function verdicts(words, answers, judges, pair) {
  if (pair.some((word) => words.filter((other) => other === word).length !== 1)) {
    return `There is no right answer: that takes “${pair[0]}” and “${pair[1]}” once each.`;
  }
  const late = words.indexOf(pair[1]) < words.indexOf(pair[0]);
  const right = judges.filter((_, i) => (answers[i] > 0.5) === late);
  return `Here “${pair[Number(late)]}” comes first. Right: ${right.join(", ") || "none"}.`;
}

export function judgedSentence(base, positions, controls, { words, unknown, note, results, facts }) {
  const n = positions.n + 1;
  const { judges, pair } = facts;
  const grams = range(Math.max(words.length - n + 1, 0)).map((i) => words.slice(i, i + n));
  const labels = grams.map((gram, i) =>
    (unknown.slice(i, i + n).some(Boolean) ? UNKNOWN : "") + escape(gram.join(" ")));
  const read = Boolean(results.evidence);
  const length = read ? results.evidence.dims[1] : 0;
  const values = read
    ? Array.from(results.evidence.data.subarray(n * length - grams.length, n * length)) : [];
  const answers = read ? Array.from(results.answers.data) : [];
  const largest = Math.max(1, ...values.map(Math.abs));
  const [bars, told] = copy(base);
  bars.layout.height = Math.max(340, 110 + 22 * labels.length);
  const { xaxis, yaxis } = bars.layout;
  Object.assign(yaxis, {
    tickvals: range(labels.length), ticktext: labels,
    range: [Math.max(labels.length, 1) - 0.5, -0.5],
  });
  yaxis.title.text = n === 1 ? "Word" : `${n}-gram`;
  xaxis.range = [-1.1 * largest, 1.1 * largest];
  Object.assign(bars.data[0], { x: values, y: range(labels.length) });
  Object.assign(told.data[0], { x: answers.map((answer) => 100 * answer), y: range(answers.length) });
  if (!read) {
    bars.layout.meta = said(`There is nothing to judge yet: type a sentence with “${pair[0]}” and “${pair[1]}”.`);
    told.layout.meta = said("Here you will see what each model answers.");
    return [bars, told];
  }
  bars.layout.meta = said(evidence(grams, values, n, pair), note);
  told.layout.meta = said(verdicts(words, answers, Object.keys(judges), pair));
  return [bars, told];
}

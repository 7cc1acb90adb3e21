// What a reader types, read by the function that PyTorch exported: the twin of seqviz/typed.py.

import { ARRAYS } from "./grid.js";
import { inflated, openWorker } from "./worker.js";
import { short, words } from "./words.js";

const SHOWN = 24;
// Marks that would turn the words after them around: a word is shown without.
const plain = (word) => word.replace(/[\u202a-\u202e\u2066-\u2069]/g, "");

function noteOn(found, unknown, length) {
  const strange = [...new Set(found.filter((_, i) => unknown[i]))];
  const named = strange.map((word) => `“\u2068${short(plain(word), SHOWN)}\u2069”`).join(", ");
  return [
    strange.length ? `Not in the model's vocabulary: ${named}.` : "",
    found.length > length ? `The model reads ${length} words; the rest is left out.` : "",
  ].filter(Boolean).join(" ");
}

// A text as tokens, with all that a picture needs to say of its words. No tokens: nothing to read.
export function openVocabulary({ vocabulary, length, unknown: other }) {
  const known = new Map();
  vocabulary.forEach((word, token) => {
    const key = word.toLowerCase();
    if (!known.has(key)) known.set(key, token);
  });
  return (text) => {
    const found = words(text);
    const first = found.slice(0, length);
    const tokens = new BigInt64Array(length);
    first.forEach((word, i) => {
      tokens[length - first.length + i] = BigInt(known.get(word) ?? other);
    });
    const unknown = first.map((word) => !known.has(word));
    return {
      words: first.map((word) => vocabulary[known.get(word)] ?? plain(word)),
      unknown, note: noteOn(found, unknown, length),
      tokens: tokens.some(Boolean) ? tokens : null,
    };
  };
}

function openArray({ deflated, dtype, shape }) {
  return { data: new ARRAYS[dtype](inflated(deflated).slice().buffer), dims: shape };
}

// One engine for all such figures of a page: it opens when one of them needs it, and closes when
// the reader has left them all.
export class TextEngine {
  constructor(load, files) {
    Object.assign(this, { load, files, opened: null, sent: new Set(), busy: 0, seen: new Set() });
  }
  async call(files, tokens) {
    const [[name, file]] = Object.entries(files);
    let opened;
    this.busy++;
    try {
      opened = this.opened ??= openWorker(this.load);
      const engine = await opened;
      let bytes; // sent once: the worker keeps what it has opened
      if (!this.sent.has(name)) {
        if (file.source && !this.files.has(name)) await this.load(file.source);
        bytes = inflated((file.source ? this.files.get(name) : file).deflated);
        this.sent.add(name);
      }
      const inputs = { tokens: [tokens, [1, tokens.length]] };
      return (await engine.ask("call", { name, bytes, inputs })).results;
    } catch (error) {
      if (this.opened === opened) this.close(); // the next call begins anew
      throw error;
    } finally {
      this.busy--;
      this.rest();
    }
  }
  rest() {
    if (!this.busy && (document.hidden || !this.seen.size)) this.close();
  }
  close() {
    this.opened?.then((engine) => engine.close(), () => {});
    this.opened = null;
    this.sent.clear();
  }
}

// How a figure follows a text: at once where the results are known, else when the engine answers.
export function typedFigure(compute, packed, controls, engine) {
  const { name } = controls.find((c) => c.kind === "text");
  const read = openVocabulary(packed);
  const results = Object.fromEntries(
    Object.entries(packed.results).map(([key, array]) => [key, openArray(array)]));
  const first = read(packed.text);
  const known = new Map([[String(first.tokens), results], ["null", {}]]);
  const begun = known.size;
  const { facts, vocabulary, figures } = packed;
  const draw = (positions, reading, found) =>
    compute(figures, positions, controls, { ...reading, results: found, facts, vocabulary });
  return {
    figures(positions) {
      const reading = read(positions[name]);
      const key = String(reading.tokens);
      if (known.has(key)) return draw(positions, reading, known.get(key));
      return engine.call(packed.files, reading.tokens).then((found) => {
        if (known.size > begun) known.delete([...known.keys()].at(-1)); // the last one is enough
        known.set(key, found);
        return draw(positions, reading, found);
      });
    },
    prepare: () => first.tokens && engine.call(packed.files, first.tokens),
  };
}

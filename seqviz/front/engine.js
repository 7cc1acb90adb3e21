// In a worker: onnxruntime takes the training steps that PyTorch exported, and evaluates its
// functions. One answer for each message; nothing is fetched.

import { InferenceSession, Tensor, env } from "onnxruntime-web/wasm";
import { batchSeed, drawBatch } from "./batches.js";

const SLICE = 16; // milliseconds of training for one message
env.wasm.numThreads = 1;
env.logLevel = "error";
const sessions = new Map();
let race = null;

async function session(name, bytes) {
  if (!sessions.has(name)) {
    sessions.set(name, await InferenceSession.create(bytes, { executionProviders: ["wasm"] }));
  }
  return sessions.get(name);
}

const tensor = ([data, shape]) =>
  new Tensor(data instanceof BigInt64Array ? "int64" : "float32", data, shape);
const REST = new Set(["new_state", "loss", "accuracy", "grad_norm"]);

async function step(rate) {
  const { feed, size, seed, taken } = race;
  const batch = drawBatch(feed, size, batchSeed(seed, taken));
  const [inputs, targets] = [tensor(batch.inputs), tensor(batch.targets)];
  const learning_rate = new Tensor("float32", [rate], []);
  // The words of the first sequence, for a picture that shows them.
  const [data, shape] = batch.inputs;
  race.tokens = data instanceof BigInt64Array ? { data: Int32Array.from(data.subarray(0, shape[1]), Number), dims: [shape[1]] } : undefined;
  const results = [];
  for (const run of race.runs) {
    results.push(await run.session.run({ state: run.state, inputs, targets, learning_rate }));
  }
  return results;
}

function internals(result) {
  const kept = Object.entries(result).filter(([name]) => !REST.has(name));
  const found = Object.fromEntries(kept.map(([name, { data, dims }]) => [name, { data, dims }]));
  return race.tokens ? { ...found, tokens: race.tokens } : found;
}

const HANDLERS = {
  async open({ wasm }) {
    env.wasm.wasmBinary = wasm;
    return {};
  },
  async start({ runs, feed, size, seed, taken = 0 }) {
    race = { feed, size, seed, taken, runs: [] };
    for (const { name, bytes, state } of runs) {
      race.runs.push({
        session: await session(name, bytes), state: tensor([state, [state.length]]),
      });
    }
    return {};
  },
  // Steps for some milliseconds, at least one, up to a number of steps in all.
  async run({ until, rate, every }) {
    const end = performance.now() + SLICE;
    const values = race.runs.map(() => []);
    const rows = race.runs.map(() => []);
    let last = [];
    while (race.taken < until && (!last.length || performance.now() < end)) {
      last = await step(rate);
      last.forEach((result, i) => {
        race.runs[i].state = result.new_state;
        values[i].push((result.accuracy ?? result.loss).data[0]);
        const gradient = result.state_grad_norm ?? result.input_grad_norm;
        if (gradient && race.taken % every === 0) rows[i].push([race.taken, gradient.data]);
      });
      race.taken++;
    }
    return { taken: race.taken, values, rows, last: last.map(internals) };
  },
  async states() {
    return { states: race ? race.runs.map((run) => run.state.data) : [] };
  },
  // A function of tensors, for what no grid can hold.
  async call({ name, bytes, inputs }) {
    const opened = await session(name, bytes);
    const feeds = Object.entries(inputs).map(([key, value]) => [key, tensor(value)]);
    const results = await opened.run(Object.fromEntries(feeds));
    return {
      results: Object.fromEntries(
        Object.entries(results).map(([key, { data, dims }]) => [key, { data, dims }])),
    };
  },
};

// One after the other: a step waits within itself, and must not be overtaken.
let queue = Promise.resolve();
addEventListener("message", ({ data: { number, kind, ...message } }) => {
  queue = queue
    .then(() => HANDLERS[kind](message))
    .then((answer) => postMessage({ number, ...answer }))
    .catch((error) => postMessage({ number, error: String(error?.message ?? error) }));
});

// The batches of seqviz/tasks, number for number: torch's generator is the Mersenne Twister
// (Matsumoto and Nishimura 1998), and each task draws from it in the same order.

const [N, M] = [624, 397];

export function generator(seed) {
  const state = new Uint32Array(N);
  state[0] = seed;
  for (let i = 1; i < N; i++) {
    state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  }
  let at = N;
  function renew() {
    for (let i = 0; i < N; i++) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
      state[i] = state[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    at = 0;
  }
  function next() {
    if (at === N) renew();
    let y = state[at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }
  return {
    uniform: () => (next() & 0xffffff) / 0x1000000, // torch.rand in float32: 24 bits
    below: (end, from = 0) => from + (next() % (end - from)), // torch.randint
  };
}

const classes = (numbers) => BigInt64Array.from(numbers, BigInt);
const fill = (count, draw) => Array.from({ length: count }, draw);

// Each returns inputs and targets as [data, shape].
const DRAW = {
  adding(source, size, { length }) {
    const half = Math.floor(length / 2);
    const inputs = new Float32Array(size * length * 2);
    const sums = new Float32Array(size);
    for (let i = 0; i < size * length; i++) inputs[2 * i] = source.uniform();
    for (const [end, from] of [[half, 0], [length, half]]) {
      for (let row = 0; row < size; row++) {
        const at = 2 * (row * length + source.below(end, from));
        inputs[at + 1] = 1;
        sums[row] += inputs[at];
      }
    }
    return { inputs: [inputs, [size, length, 2]], targets: [sums, [size, 1]] };
  },
  "first token"(source, size, { length, symbols, distractors }) {
    const width = symbols + distractors;
    const first = fill(size, () => source.below(symbols));
    const inputs = new Float32Array(size * length * width);
    first.forEach((symbol, row) => { inputs[row * length * width + symbol] = 1; });
    for (let row = 0; row < size; row++) {
      for (let t = 1; t < length; t++) {
        inputs[(row * length + t) * width + source.below(width, symbols)] = 1;
      }
    }
    return { inputs: [inputs, [size, length, width]], targets: [classes(first), [size]] };
  },
  "copy memory"(source, size, { length, symbols, items }) {
    const width = symbols + 1;
    const drawn = fill(size * items, () => source.below(symbols));
    const inputs = new Float32Array(size * length * width);
    for (let row = 0; row < size; row++) {
      for (let t = 0; t < length; t++) {
        const token = t < items ? drawn[row * items + t] : symbols;
        inputs[(row * length + t) * width + token] = 1;
      }
    }
    return { inputs: [inputs, [size, length, width]], targets: [classes(drawn), [size, items]] };
  },
  rows(source, size, { inputs, targets }) {
    const chosen = fill(size, () => source.below(inputs.shape[0]));
    return { inputs: pick(inputs, chosen), targets: pick(targets, chosen) };
  },
};

function pick({ data, shape, wide }, rows) {
  const width = data.length / shape[0];
  const out = wide ? new BigInt64Array(rows.length * width) : new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    for (let j = 0; j < width; j++) {
      const value = data[row * width + j];
      out[i * width + j] = wide ? BigInt(value) : value;
    }
  });
  return [out, [rows.length, ...shape.slice(1)]];
}

export const drawBatch = (feed, size, seed) => DRAW[feed.kind](generator(seed), size, feed);

// The batch that seqviz.steps takes at a step, on a run of this seed.
export const batchSeed = (seed, step) => 1_000_000 * (seed + 1) + step;

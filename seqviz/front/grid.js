// The packed grid of seqviz/explore/grid.py, taken apart again.

import { inflateSync } from "fflate";

export const ARRAYS = {
  uint8: Uint8Array, int16: Int16Array, int32: Int32Array, float32: Float32Array,
  float64: Float64Array,
};
const MISSING = "\u00a7missing";

export function bytes(base64) {
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out.buffer;
}

const size = (shape) => shape.reduce((a, b) => a * b, 1);

function cut(data, start, shape) {
  if (shape.length < 2) return data.subarray(start, start + size(shape));
  const row = size(shape.slice(1));
  return Array.from({ length: shape[0] }, (_, i) => cut(data, start + i * row, shape.slice(1)));
}

function openSlot(slot) {
  const index = slot.count > 65535 ? new Uint32Array(bytes(slot.index)) : new Uint16Array(bytes(slot.index));
  if (slot.values) return { path: slot.path, index, values: slot.values };
  const data = slot.deflated
    ? inflateSync(new Uint8Array(bytes(slot.deflated)))
    : new ARRAYS[slot.dtype](bytes(slot.bdata));
  const values = [];
  for (let i = 0, start = 0; i < slot.count; i++) {
    const shape = slot.shapes.length > 1 ? slot.shapes[i] : slot.shapes[0];
    values.push(cut(data, start, shape));
    start += size(shape);
  }
  return { path: slot.path, index, values };
}

// Copies objects and lists of objects; arrays of numbers are shared, since nobody writes to them.
export function copy(node) {
  if (Array.isArray(node)) return node.some((v) => v && typeof v === "object") ? node.map(copy) : node;
  if (!node || typeof node !== "object" || ArrayBuffer.isView(node)) return node;
  return Object.fromEntries(Object.entries(node).map(([k, v]) => [k, copy(v)]));
}

export function put(root, path, value) {
  let node = root;
  for (const key of path.slice(0, -1)) node = node[key] ??= {};
  const last = path[path.length - 1];
  if (value === MISSING) delete node[last];
  else node[last] = value;
}

export function openGrid(packed) {
  const slots = packed.slots.map(openSlot);
  return (positions) => {
    const at = positions.reduce((sum, p, axis) => sum * packed.sizes[axis] + p, 0);
    const figures = copy(packed.figures);
    for (const { path, index, values } of slots) put(figures, path, values[index[at]]);
    return figures;
  };
}

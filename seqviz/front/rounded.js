// Numbers as Python writes and rounds them: a half goes to the even neighbour.

export function rint(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

// f"{value:.{digits}f}": the decimal that is nearest to the exact binary number.
export function fixed(value, digits) {
  const scaled = value * 10 ** digits;
  // Only a multiple of this power of two can lie exactly between two decimals.
  const half = Number.isInteger(value * 2 ** (digits + 1)) && Math.abs(scaled % 1) === 0.5;
  return half ? (rint(scaled) / 10 ** digits).toFixed(digits) : value.toFixed(digits);
}

// What a figure says, as describe() in seqviz/plots/style.py keeps it.
export const said = (...parts) => ({
  description: parts.filter(Boolean).join(" ").replaceAll(" %", "\u00a0%"),
});

/** Returns the middle value, or the mean of the two middle values. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

/** Returns Kendall's tau-b of two lists of scores for the same documents. */
export function kendallTau(a, b) {
  let [sum, pairsA, pairsB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < i; j++) {
      const [x, y] = [Math.sign(a[i] - a[j]), Math.sign(b[i] - b[j])];
      sum += x * y;
      pairsA += x * x;
      pairsB += y * y;
    }
  }
  return sum / Math.sqrt(pairsA * pairsB);
}

/** Returns the maximum absolute difference between two lists of scores. */
export function maxDifference(a, b) {
  return Math.max(...a.map((score, index) => Math.abs(score - b[index])));
}

/** Returns the first and the third quartile: the medians of the lower and of the upper half. The middle value is in both. */
export function quartiles(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.ceil(sorted.length / 2);
  return [median(sorted.slice(0, half)), median(sorted.slice(-half))];
}

/** Returns the value that a share of the values does not exceed: the smallest one of which this is true. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

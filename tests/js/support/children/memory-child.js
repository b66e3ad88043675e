// A separate process that loads the model in a folder, scores the largest possible batch and prints the size of
// WebAssembly's memory as JSON. A memory never shrinks, so each measurement needs a process.
const memories = [];
const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(...given) {
    super(...given);
    if (this.exports.memory !== undefined) memories.push(this.exports.memory);
  }
};
const [folder, dtype, index] = process.argv.slice(2);
const { Reranker } = await import(index);
const reranker = await Reranker.load(new URL(folder), { dtype, workers: 0 });
const bytes = () => Math.max(...memories.map(({ buffer }) => buffer.byteLength));
const loaded = bytes();
const words = "a ".repeat(600);
await reranker.score([
  ["query", words.slice(0, 1000)],
  ["query", words],
]);
console.log(JSON.stringify({ loaded, scored: bytes(), predicted: reranker.info.memoryBytes }));

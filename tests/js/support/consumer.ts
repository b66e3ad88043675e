// Compiled, never run: what a user of the package writes, and what must not compile.
import { Reranker, RankletError, errorCodes, type ErrorCode, type ModelInfo, type RerankResponse } from "ranklet";
import model from "ranklet/default-model";

const controller = new AbortController();

export async function everything(bytes: Uint8Array): Promise<void> {
  const reranker: Reranker = await Reranker.load(model, {
    device: "auto",
    dtype: "q8",
    workers: 0,
    maxLength: 256,
    signal: controller.signal,
    onProgress: ({ file, loaded, total }) => console.log(file.toUpperCase(), loaded.toFixed(), total?.toFixed()),
  });
  await Reranker.load();
  await Reranker.load(new URL("https://models.example/reranker/"));
  await Reranker.load({ "config.json": bytes, "tokenizer.json": bytes.buffer as ArrayBuffer, "model.safetensors": new Blob([]) });

  const rows = [{ id: 1, text: "a" }];
  const response: RerankResponse<{ id: number; text: string }> = await reranker.rerank({ query: "q", documents: rows, returnDocuments: true });
  const id: number | undefined = response.results[0]?.document?.id;
  const scores: Float32Array = await reranker.score([["q", "d"]], { scores: "raw" });
  const place: number | undefined = (await reranker.rank("q", ["d"], { topK: 1 }))[0]?.corpus_id;
  const info: ModelInfo = reranker.info;
  console.log(id, scores, place, info.numLabels, response.timings.totalMs);

  // @ts-expect-error: an unknown option
  await reranker.rerank({ query: "q", documents: ["d"], top_n: 1 });
  // @ts-expect-error: a document that is neither text nor an object
  await reranker.rerank({ query: "q", documents: [1] });
  // @ts-expect-error: a device that is not offered
  await Reranker.load(model, { device: "webgpu" });
  // @ts-expect-error: rerankers are loaded, not made
  new Reranker();
  // @ts-expect-error: what was loaded does not change
  reranker.info.numLabels = 2;

  using held = await Reranker.load();
  await using heldToo = await Reranker.load();
  held.dispose();
  heldToo.dispose();
}

export function explain(error: unknown): ErrorCode | undefined {
  return error instanceof RankletError && errorCodes.includes(error.code) ? error.code : undefined;
}

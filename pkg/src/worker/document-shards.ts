import type { PreparedJob } from "../scoring/scorer.js";
import type { JobChunk } from "./job-splitter.js";
import type { PoolWorker } from "./pool-worker.js";

/** One worker's part of a collection. */
interface Shard {
  readonly worker: PoolWorker;
  documents: number;
  characters: number;
}

/** Distributes a collection over workers: each document is held by one, and all hold about as many characters. */
export class DocumentShards {
  readonly #shards: readonly Shard[];
  /** For each document of the collection, its shard and its index there. */
  readonly #locations: { readonly shard: Shard; readonly localIndex: number }[] = [];

  constructor(workers: readonly PoolWorker[]) {
    this.#shards = workers.map((worker) => ({ worker, documents: 0, characters: 0 }));
  }

  /** The workers that hold the collection. */
  get workers(): readonly PoolWorker[] {
    return this.#shards.map(({ worker }) => worker);
  }

  /**
   * Appends documents, each to the shard with the fewest characters. This separates neighbors, which a first stage often
   * retrieves together.
   * @returns the new documents of each worker
   */
  add(documents: readonly string[]): Map<PoolWorker, string[]> {
    const added = new Map<PoolWorker, string[]>();
    for (const document of documents) {
      const shard = this.#shards.reduce((min, other) => (other.characters < min.characters ? other : min));
      this.#locations.push({ shard, localIndex: shard.documents++ });
      shard.characters += document.length;
      const entry = added.get(shard.worker) ?? [];
      added.set(shard.worker, entry);
      entry.push(document);
    }
    return added;
  }

  /** Splits a job into the chunk that each worker scores. Chunks without pairs are left out. */
  chunks(job: PreparedJob): Map<PoolWorker, JobChunk> {
    const candidates = job.candidates ?? Uint32Array.from(this.#locations.keys());
    const found = new Map<Shard, { candidates: number[]; indices: number[] }>();
    candidates.forEach((document, index) => {
      const { shard, localIndex } = this.#locations[document] as { shard: Shard; localIndex: number };
      const entry = found.get(shard) ?? { candidates: [], indices: [] };
      found.set(shard, entry);
      entry.candidates.push(localIndex);
      entry.indices.push(index);
    });
    return new Map(
      Array.from(found, ([{ worker }, { candidates, indices }]) => [
        worker,
        { job: { ...job, candidates: Uint32Array.from(candidates) }, indices: Uint32Array.from(indices), losses: 0 },
      ]),
    );
  }
}

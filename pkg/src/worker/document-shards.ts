import type { Job } from "../scoring/scorer.js";
import type { PoolWorker } from "./pool-worker.js";
import type { JobChunk } from "./job-splitter.js";

type PreparedJob = Extract<Job, { kind: "prepared" }>;

/** What one member holds of a collection. */
interface Shard {
  readonly worker: PoolWorker;
  documents: number;
  characters: number;
}

/** Where the documents of a collection are: each is held by one member, and the members hold about as much. */
export class DocumentShards {
  readonly #shards: readonly Shard[];
  /** For each document, who holds it, and where among its entry. */
  readonly #locations: { readonly shard: Shard; readonly localIndex: number }[] = [];

  constructor(workers: readonly PoolWorker[]) {
    this.#shards = workers.map((worker) => ({ worker, documents: 0, characters: 0 }));
  }

  /** Those that hold documents, or will. */
  get workers(): readonly PoolWorker[] {
    return this.#shards.map(({ worker }) => worker);
  }

  /**
   * Places documents at the end, each with the member that holds the fewest characters: neighbours come apart, for a
   * first stage often finds them together.
   * @returns who gets which
   */
  add(documents: readonly string[]): Map<PoolWorker, string[]> {
    const added = new Map<PoolWorker, string[]>();
    for (const document of documents) {
      const shard = this.#shards.reduce((least, other) => (other.characters < least.characters ? other : least));
      this.#locations.push({ shard, localIndex: shard.documents++ });
      shard.characters += document.length;
      const entry = added.get(shard.worker) ?? [];
      added.set(shard.worker, entry);
      entry.push(document);
    }
    return added;
  }

  /** Who scores what of a work. */
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

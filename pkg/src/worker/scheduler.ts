import type { Call } from "../scoring/scorer.js";
import type { Member } from "./pool-worker.js";
import { Cutter, type Share, type TextWork } from "./job-splitter.js";

/** The workers that a work is dealt to. */
export interface Crew {
  /** Those that can compute at once, the least busy first; starts the others, which are told of by `Dealing.deal`. */
  running(): readonly Member[];
  /** How many take part, or soon will. */
  readonly size: number;
}

/** One work, dealt out share by share to whichever worker is free: a slow one gets fewer. */
export class Dealing {
  readonly #crew: Crew;
  readonly #call: Call;
  readonly #cutter: Cutter;
  /** What lost workers have left. */
  readonly #left: Share[] = [];
  readonly #busy = new Set<Member>();
  #ended = false;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  /** Resolves when all is scored; rejects with the first error, after which nothing more is dealt. */
  readonly done = new Promise<void>((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));

  /** @param maxLength the most tokens of a pair */
  constructor(crew: Crew, work: TextWork, maxLength: number, call: Call) {
    this.#crew = crew;
    this.#call = call;
    this.#cutter = new Cutter(work, maxLength);
  }

  /** Gives a share to each worker that has none: to begin with, and whenever one becomes free or is ready. */
  deal(): void {
    if (this.#ended) return;
    for (const member of this.#crew.running()) {
      if (this.#busy.has(member)) continue;
      const share = this.#left.pop() ?? this.#cutter.next(this.#crew.size);
      if (share === undefined) break;
      void this.#give(member, share);
    }
    if (this.#busy.size > 0 || this.#left.length > 0 || !this.#cutter.done) return;
    this.end();
    this.#resolve();
  }

  /** Deals no more. */
  end(): void {
    this.#ended = true;
  }

  /** Ends it with an error. */
  fail(error: unknown): void {
    this.end();
    this.#reject(error);
  }

  async #give(member: Member, share: Share): Promise<void> {
    this.#busy.add(member);
    try {
      const left = await member.score(share, this.#call);
      if (left !== undefined) this.#left.push(left);
    } catch (error) {
      this.fail(error);
    } finally {
      this.#busy.delete(member);
    }
    this.deal();
  }
}

import type { Work } from "../scoring/scorer.js";
import type { Member } from "./pool-worker.js";
import type { Share } from "./job-splitter.js";

type PreparedWork = Extract<Work, { kind: "prepared" }>;

/** What one member holds of a collection. */
interface Holding {
  readonly member: Member;
  documents: number;
  characters: number;
}

/** Where the documents of a collection are: each is held by one member, and the members hold about as much. */
export class Placement {
  readonly #holdings: readonly Holding[];
  /** For each document, who holds it, and where among its own. */
  readonly #places: { readonly holding: Holding; readonly place: number }[] = [];

  constructor(members: readonly Member[]) {
    this.#holdings = members.map((member) => ({ member, documents: 0, characters: 0 }));
  }

  /** Those that hold documents, or will. */
  get members(): readonly Member[] {
    return this.#holdings.map(({ member }) => member);
  }

  /**
   * Places documents at the end, each with the member that holds the fewest characters: neighbours come apart, for a
   * first stage often finds them together.
   * @returns who gets which
   */
  add(documents: readonly string[]): Map<Member, string[]> {
    const added = new Map<Member, string[]>();
    for (const document of documents) {
      const holding = this.#holdings.reduce((least, other) => (other.characters < least.characters ? other : least));
      this.#places.push({ holding, place: holding.documents++ });
      holding.characters += document.length;
      const own = added.get(holding.member) ?? [];
      added.set(holding.member, own);
      own.push(document);
    }
    return added;
  }

  /** Who scores what of a work. */
  shares(work: PreparedWork): Map<Member, Share> {
    const asked = work.candidates ?? Uint32Array.from(this.#places.keys());
    const found = new Map<Holding, { candidates: number[]; places: number[] }>();
    asked.forEach((document, at) => {
      const { holding, place } = this.#places[document] as { holding: Holding; place: number };
      const own = found.get(holding) ?? { candidates: [], places: [] };
      found.set(holding, own);
      own.candidates.push(place);
      own.places.push(at);
    });
    return new Map(
      Array.from(found, ([{ member }, { candidates, places }]) => [
        member,
        { work: { ...work, candidates: Uint32Array.from(candidates) }, places: Uint32Array.from(places), losses: 0 },
      ]),
    );
  }
}

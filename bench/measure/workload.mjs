// Generates workloads: a query and passages. The texts differ each time; the token counts do not.
import { readFileSync } from "node:fs";

import { Tokenizer } from "@huggingface/tokenizers";

import { inRepository } from "../paths.mjs";

/**
 * Quantiles of the tokens per pair, as in passages that a first stage finds: [share of shorter pairs, tokens]. A hundred
 * pairs have 10,252 tokens, 31 to 226 each.
 */
const lengthQuantiles = [
  [0, 31],
  [0.1, 56],
  [0.25, 74],
  [0.5, 90],
  [0.75, 131],
  [0.9, 161],
  [0.97, 181],
  [1, 226],
];

/** Words of one token each, which fill a passage up to its exact length. */
const fillerWords = ["and", "the", "of", "then", "also", "with"];

/** The tokens [CLS] and two [SEP] of a pair. */
const specialTokens = 3;

/** Generates workloads. The same seed gives the same workloads. */
export class WorkloadGenerator {
  #random;
  #count;
  #queries;
  #sentences;
  /** The source of the texts, for the report. */
  source;

  /** @param {string | undefined} file JSON { query, documents } with texts to use instead of the repository's */
  constructor(file, seed = 1) {
    this.#random = xorshift(seed);
    this.#count = counter();
    const { queries, documents, source } = file === undefined ? bundledTexts() : textsFrom(file);
    this.#queries = queries;
    this.#sentences = documents
      .flatMap((text) => text.split(/(?<=[.!?])\s+/))
      .map((text) => text.split(/\s+/).filter((word) => word !== ""));
    this.source = source;
  }

  /** Returns a workload { query, documents, tokens } of `count` documents whose lengths follow `lengthQuantiles`. */
  next(count) {
    return this.#workload(Array.from({ length: count }, (_, index) => lengthAt(count === 1 ? 0.5 : index / (count - 1))));
  }

  /** Returns a workload of `count` documents whose pairs have `tokens` tokens each. */
  equal(count, tokens) {
    return this.#workload(new Array(count).fill(tokens));
  }

  /** Returns a workload for each word of a query that is typed over the same `count` passages; with the whole query, their pairs have `tokens` tokens. */
  typed(count, tokens) {
    const { query, documents, tokens: total } = this.equal(count, tokens);
    const words = query.split(/\s+/);
    return words.map((_, last) => ({
      query: words.slice(0, last + 1).join(" "),
      documents,
      tokens: total - count * this.#tokens(words.slice(last + 1)),
    }));
  }

  #workload(pairs) {
    const query = this.#pick(this.#queries);
    const fixedTokens = specialTokens + this.#tokens(query.split(/\s+/));
    for (let index = pairs.length - 1; index > 0; index--) {
      const other = this.#below(index + 1);
      [pairs[index], pairs[other]] = [pairs[other], pairs[index]];
    }
    const contents = pairs.map((tokens) => Math.max(tokens - fixedTokens, 1));
    return {
      query,
      documents: contents.map((tokens) => this.#passage(tokens)),
      tokens: contents.reduce((sum, tokens) => sum + tokens + fixedTokens, 0),
    };
  }

  /** Joins random sentences and cuts the last one, so that the passage has `tokens` tokens. */
  #passage(tokens) {
    const words = [];
    let remaining = tokens;
    while (remaining > 0) {
      for (const word of this.#pick(this.#sentences)) {
        if (remaining === 0) break;
        const chosen = this.#count(word) <= remaining ? word : this.#pick(fillerWords);
        words.push(chosen);
        remaining -= this.#count(chosen);
      }
    }
    return words.join(" ");
  }

  #tokens(words) {
    return words.reduce((sum, word) => sum + this.#count(word), 0);
  }

  #pick(list) {
    return list[this.#below(list.length)];
  }

  #below(bound) {
    return this.#random() % bound;
  }
}

function bundledTexts() {
  const name = "src/quantize/calibration.txt";
  const pairs = readFileSync(inRepository(name), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split("\t"));
  return { queries: pairs.map(([query]) => query), documents: pairs.map(([, document]) => document), source: `sentences of ${name}` };
}

function textsFrom(file) {
  const { query, documents } = JSON.parse(readFileSync(file, "utf8"));
  return { queries: [query], documents, source: `sentences of ${file.split("/").at(-1)}` };
}

/** Returns a function that counts the tokens of a word. BERT tokenizes words separately, so the counts add up. */
function counter() {
  const read = (name) => JSON.parse(readFileSync(inRepository(`models/default/${name}`), "utf8"));
  const tokenizer = new Tokenizer(read("tokenizer.json"), read("tokenizer_config.json"));
  const counts = new Map();
  return (word) => {
    if (!counts.has(word)) counts.set(word, tokenizer.encode(word, { add_special_tokens: false }).ids.length);
    return counts.get(word);
  };
}

function lengthAt(share) {
  const upper = Math.max(
    1,
    lengthQuantiles.findIndex(([upperShare]) => share <= upperShare),
  );
  const [[from, shorter], [to, longer]] = [lengthQuantiles[upper - 1], lengthQuantiles[upper]];
  return Math.floor(shorter + ((longer - shorter) * (share - from)) / (to - from) + 0.5);
}

/** Returns a function that returns 32 random bits per call. */
function xorshift(seed) {
  let state = (seed * 0x9e3779b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}

import { make } from "../ui/dom.js";
import { shorten, signed } from "../ui/format.js";
import { setHeat } from "./heat-text.js";

/** The number of rows of a list. */
const maxWords = 3;

/** The maximum length of a unit, because it may be a sentence. */
const maxCharacters = 40;

/** A unit in a list. */
export interface ListedWord {
  readonly word: string;
  readonly contribution: number;
  /** The number that is shown. */
  readonly value: number;
  /** The passage that the unit is in, if the list has units of several. */
  readonly from?: string;
}

/** Fills a list with units that look as in the heat map, and their numbers. */
export function showWords(list: HTMLElement, words: readonly ListedWord[], scale: number): void {
  const entries = words.slice(0, maxWords).map((word) => entryOf(word, scale));
  list.replaceChildren(...(entries.length > 0 ? entries : [make("li", "from", "none")]));
}

function entryOf({ word, contribution, value, from }: ListedWord, scale: number): HTMLElement {
  const name = make("span", "heat", shorten(word, maxCharacters));
  setHeat(name, contribution, scale);
  const cell = make("span", "word");
  cell.append(name);
  const entry = make("li", "");
  entry.append(cell, " ", ...(from === undefined ? [] : [make("span", "from", from), " "]), make("span", "value", signed(value)));
  return entry;
}

/** A text that is written in parts, whose bytes in UTF-8 are counted before each part is added. */
export class BoundedText {
  #text = "";
  #bytesLeft: number;
  readonly #tooLong: () => Error;

  /** @param tooLong creates the error of a text that is longer than `maxBytes` */
  constructor(maxBytes: number, tooLong: () => Error) {
    this.#bytesLeft = maxBytes;
    this.#tooLong = tooLong;
  }

  /** Number of bytes that may still be written. */
  get bytesLeft(): number {
    return this.#bytesLeft;
  }

  push(part: string): void {
    if (this.#bytesLeft !== Infinity) {
      if (part.length > this.#bytesLeft) throw this.#tooLong();
      this.#bytesLeft -= utf8Length(part);
      if (this.#bytesLeft < 0) throw this.#tooLong();
    }
    this.#text += part;
  }

  /** Ends the line before, if there is one. */
  startLine(): void {
    if (this.#text !== "") this.push("\n");
  }

  toString(): string {
    return this.#text;
  }
}

function utf8Length(text: string): number {
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const isSurrogate = unit >= 0xd800 && unit <= 0xdfff;
    length += unit < 0x80 ? 1 : unit < 0x800 || isSurrogate ? 2 : 3;
  }
  return length;
}

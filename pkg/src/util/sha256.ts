/** Computes the SHA-256 of bytes that arrive in pieces. The Web Crypto API needs all bytes in memory at once. */
export interface Sha256 {
  update(bytes: Uint8Array): unknown;
  /** Returns the hash in hexadecimal. Ends the computation. */
  digest(encoding: "hex"): string;
}

/** Adds the content of a Blob, piece by piece. */
export async function addBlob(hash: Sha256, content: Blob): Promise<void> {
  for await (const bytes of content.stream()) hash.update(bytes);
}

/** Returns the SHA-256 of a Blob in hexadecimal. `hash` is a new computation. */
export async function hashOf(hash: Sha256, content: Blob): Promise<string> {
  await addBlob(hash, content);
  return hash.digest("hex");
}

const [roundConstants, initialState] = constants();

/** SHA-256 (FIPS 180-4) in JavaScript, for runtimes without a streaming hash: about 70 MB per second on a small virtual machine. */
export class PortableSha256 implements Sha256 {
  readonly #state = initialState.slice();
  readonly #schedule = new Int32Array(64);
  /** The last bytes, if they do not fill a block yet. */
  readonly #rest = new Uint8Array(64);
  #length = 0;

  update(bytes: Uint8Array): void {
    const filled = this.#length % 64;
    this.#length += bytes.length;
    const missing = filled === 0 ? 0 : Math.min(64 - filled, bytes.length);
    if (missing > 0) {
      this.#rest.set(bytes.subarray(0, missing), filled);
      if (filled + missing < 64) return;
      this.#compress(this.#rest);
    }
    const blocks = bytes.subarray(missing, bytes.length - ((bytes.length - missing) % 64));
    this.#compress(blocks);
    this.#rest.set(bytes.subarray(missing + blocks.length));
  }

  digest(_encoding: "hex"): string {
    const length = this.#length;
    const padding = new Uint8Array((length % 64 < 56 ? 64 : 128) - (length % 64));
    padding[0] = 0x80;
    new DataView(padding.buffer).setBigUint64(padding.length - 8, BigInt(length) * 8n);
    this.update(padding);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #compress(blocks: Uint8Array): void {
    const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
    for (let at = 0; at < blocks.length; at += 64) compressBlock(this.#state, this.#schedule, view, at);
  }
}

/** Applies the compression function to one block of 64 bytes. `w` is scratch space. */
function compressBlock(state: Int32Array, w: Int32Array, view: DataView, at: number): void {
  for (let t = 0; t < 16; t++) w[t] = view.getInt32(at + 4 * t);
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15]!;
    const y = w[t - 2]!;
    w[t] = w[t - 16]! + w[t - 7]! + (rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)) + (rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let t = 0; t < 64; t++) {
    const t1 = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + roundConstants[t]! + w[t]!) | 0;
    const t2 = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
  state[5]! += f;
  state[6]! += g;
  state[7]! += h;
}

function rotate(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

/** Returns the fractions of the cube roots of the first 64 primes, and of the square roots of the first 8. */
function constants(): readonly [Int32Array, Int32Array] {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  const fraction = (root: number): number => ((root % 1) * 2 ** 32) | 0;
  return [
    Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
    Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime))),
  ];
}

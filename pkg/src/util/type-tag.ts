// Messages and arguments may come from another realm (an iframe, a test of Jest), whose classes are others: `instanceof` would
// reject them.

/** Returns the name of the built-in class of `value`, in any realm: "Uint8Array" for a Buffer too. */
export function typeTag(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

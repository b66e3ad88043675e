/** The built-in class of `value`, whichever realm it comes from: "Uint8Array" for a Buffer too. */
export function typeTag(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

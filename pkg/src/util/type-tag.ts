/** Returns the name of the built-in class of `value`, in any realm: "Uint8Array" for a Buffer too. */
export function typeTag(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

import { typeTag } from "./type-tag.js";

/** Returns the bytes of a JSON file that was imported: as a "Data" module, or parsed. */
export function moduleBytes(content: ArrayBuffer | object): ArrayBuffer | Uint8Array {
  return typeTag(content) === "ArrayBuffer" ? (content as ArrayBuffer) : new TextEncoder().encode(JSON.stringify(content));
}

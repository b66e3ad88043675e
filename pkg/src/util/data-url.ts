/** Decodes a `data:` URL. Bundlers inline small files as such, and a strict content security policy forbids fetching them. */
export function blobOfDataUrl(url: URL): Blob {
  const comma = url.href.indexOf(",");
  const body = decodeURIComponent(url.href.slice(comma + 1));
  if (!url.href.slice(0, comma).endsWith(";base64")) return new Blob([body]);
  return new Blob([Uint8Array.from(atob(body), (character) => character.charCodeAt(0))]);
}

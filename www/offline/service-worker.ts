// The service worker caches the page's files, so that the page opens and ranks without a network. Cache keys contain the
// SHA-256 of a file: a new version of the page fetches changed files only, and damaged downloads are not cached. A new version
// waits until the tabs of the old one are closed, because their workers need files of the same build.
/// <reference lib="webworker" />
export {};

declare const self: ServiceWorkerGlobalScope;

interface BuiltFile {
  /** The path relative to the page; empty for the page itself. */
  readonly path: string;
  /** The hash in base64. */
  readonly sha256: string;
  readonly precache: boolean;
}

/** All files of the page; the build inserts them. */
declare const FILES: readonly BuiltFile[];

const cacheName = "ranklet-page";
const scope = new URL(self.registration.scope);
const files = new Map(FILES.map((file) => [new URL(file.path, scope).pathname, file]));

self.addEventListener("install", (event) => {
  event.waitUntil(install());
});
self.addEventListener("activate", (event) => {
  event.waitUntil(removeStale().then(() => self.clients.claim()));
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const file = files.get(new URL(request.url).pathname);
  if (request.method === "GET" && file !== undefined && request.url.startsWith(scope.href)) event.respondWith(answer(event, file));
});

async function install(): Promise<void> {
  const cache = await caches.open(cacheName);
  const missing = await Promise.all(FILES.map(async (file) => ((await cache.match(keyOf(file))) === undefined ? [file] : [])));
  const toPrecache = missing.flat().filter(({ precache }) => precache);
  await Promise.all(
    toPrecache.map(async (file) => {
      // The browser rejects bytes with another hash.
      const response = await fetch(new URL(file.path, scope), { cache: "no-cache", integrity: `sha256-${file.sha256}` });
      if (!response.ok) throw new Error(`${file.path} answered ${response.status}`);
      await cache.put(keyOf(file), response);
    }),
  );
}

async function removeStale(): Promise<void> {
  const cache = await caches.open(cacheName);
  const current = new Set(FILES.map((file) => keyOf(file).href));
  await Promise.all((await cache.keys()).filter(({ url }) => !current.has(url)).map((stale) => cache.delete(stale)));
}

async function answer(event: FetchEvent, file: BuiltFile): Promise<Response> {
  const cache = await caches.open(cacheName);
  const cached = await cache.match(keyOf(file));
  if (cached !== undefined) return cached;
  const response = await fetch(event.request);
  if (response.ok) event.waitUntil(cacheVerified(cache, file, response.clone()));
  return response;
}

/** Caches a response if its bytes are complete and have the expected hash. */
async function cacheVerified(cache: Cache, file: BuiltFile, response: Response): Promise<void> {
  const bytes = await response.arrayBuffer().catch(() => undefined);
  if (bytes === undefined) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  if (btoa(String.fromCharCode(...digest)) !== file.sha256) return;
  await cache.put(keyOf(file), new Response(bytes, { headers: response.headers }));
}

function keyOf({ path, sha256 }: BuiltFile): URL {
  const key = new URL(path, scope);
  key.searchParams.set("sha256", sha256);
  return key;
}

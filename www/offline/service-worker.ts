// The service worker: keeps the page's own files, so that it opens and ranks without a network. Files are kept under
// their SHA-256, so a new version of the page fetches only what has changed, and only bytes that have it are kept.
/// <reference lib="webworker" />
export {};
declare const self: ServiceWorkerGlobalScope;

interface BuiltFile {
  /** Relative to the page; empty for the page itself. */
  readonly path: string;
  /** In base64. */
  readonly sha256: string;
  readonly precache: boolean;
}

/** Put in by the build. */
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
      // The browser itself refuses bytes with another hash.
      const response = await fetch(new URL(file.path, scope), { cache: "no-cache", integrity: `sha256-${file.sha256}` });
      if (!response.ok) throw new Error(`${file.path} answered ${response.status}`);
      await cache.put(keyOf(file), response);
    }),
  );
  await self.skipWaiting();
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

/** Keeps a file that was fetched, once it is here whole; a download that breaks off or differs is not kept. */
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

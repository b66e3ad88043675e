/** The maximum time that the model waits for the service worker. Without it the page works, but not offline. */
const timeoutMs = 3000;

/**
 * Registers the service worker and waits until it controls this page. It then caches the model while the page downloads
 * it, so the model is fetched once. Never rejects.
 */
export async function whenOfflineReady(): Promise<void> {
  // Browsers do not have it on plain http and in some private windows.
  const { serviceWorker } = navigator as { serviceWorker?: ServiceWorkerContainer };
  if (serviceWorker === undefined) return;
  await Promise.race([register(serviceWorker).catch(() => {}), new Promise((done) => setTimeout(done, timeoutMs))]);
}

async function register(serviceWorker: ServiceWorkerContainer): Promise<void> {
  const controlled = new Promise<void>((done) => serviceWorker.addEventListener("controllerchange", () => done(), { once: true }));
  await serviceWorker.register("sw.js");
  if (serviceWorker.controller === null) await controlled;
}

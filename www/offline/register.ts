/** How long the model may wait for the service worker: without it the page works just as well, only not offline. */
const timeoutMs = 3000;

/**
 * Registers the service worker and waits until it sees this page's requests, so that the model is fetched once and
 * kept on the way. Resolves in any case.
 */
export async function whenOfflineReady(): Promise<void> {
  // Absent on plain http and in some private windows.
  const { serviceWorker } = navigator as { serviceWorker?: ServiceWorkerContainer };
  if (serviceWorker === undefined) return;
  await Promise.race([register(serviceWorker).catch(() => {}), new Promise((done) => setTimeout(done, timeoutMs))]);
}

async function register(serviceWorker: ServiceWorkerContainer): Promise<void> {
  const controlled = new Promise<void>((done) => serviceWorker.addEventListener("controllerchange", () => done(), { once: true }));
  await serviceWorker.register("sw.js");
  if (serviceWorker.controller === null) await controlled;
}

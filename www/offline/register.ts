/** How long the model may wait for the service worker: without it the page works just as well, only not offline. */
const patience = 3000;

/**
 * Registers the service worker and waits until it sees this page's requests, so that the model is fetched once and
 * kept on the way. Resolves in any case.
 */
export async function offlineReady(): Promise<void> {
  // Absent on plain http and in some private windows.
  const { serviceWorker } = navigator as { serviceWorker?: ServiceWorkerContainer };
  if (serviceWorker === undefined) return;
  await Promise.race([controlled(serviceWorker).catch(() => {}), new Promise((done) => setTimeout(done, patience))]);
}

async function controlled(serviceWorker: ServiceWorkerContainer): Promise<void> {
  const taken = new Promise<void>((done) => serviceWorker.addEventListener("controllerchange", () => done(), { once: true }));
  await serviceWorker.register("sw.js");
  if (serviceWorker.controller === null) await taken;
}

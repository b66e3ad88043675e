/** A resource that must be freed explicitly, such as workers or memory of WebAssembly. */
interface Resource {
  dispose(): void;
}

// Some runtimes have no registry. There, what is forgotten stays in memory, as in any program without one.
const registry =
  typeof FinalizationRegistry === "function" ? new FinalizationRegistry<Resource>((resource) => resource.dispose()) : undefined;

/**
 * Disposes `resource` when `owner` is garbage-collected. The registry keeps `resource` in memory, so nothing in it may refer to
 * `owner`: no field, and no closure that was created next to one that uses `owner`.
 */
export function disposeWhenForgotten(owner: object, resource: Resource): void {
  registry?.register(owner, resource, owner);
}

/** Ends the effect of `disposeWhenForgotten`, because the owner disposes the resource itself. */
export function stopWatching(owner: object): void {
  registry?.unregister(owner);
}

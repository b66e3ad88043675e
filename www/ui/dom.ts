/**
 * Returns the element with this id.
 * @throws {Error} if index.html has no such element of this class
 */
export function element<T extends Element>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`index.html has no ${kind.name} with the id ${id}`);
}

/** Creates an element with a class and a text. */
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, className: string, text = ""): HTMLElementTagNameMap[K] {
  const created = document.createElement(tag);
  created.className = className;
  created.textContent = text;
  return created;
}

/** Creates an SVG element. */
export function draw<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>>,
): SVGElementTagNameMap[K] {
  const created = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, String(value));
  return created;
}

/** Sets a text if it differs, because setting the same text would cause layout and announcements. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** Hides or shows an element. If the element to hide has the focus, the query gets it, because the browser would drop it. */
export function setHidden(target: HTMLElement, hidden: boolean): void {
  if (hidden && target.contains(document.activeElement)) element("query", HTMLInputElement).focus({ preventScroll: true });
  target.hidden = hidden;
}

/** Whether the user's settings allow animations. */
export function motionAllowed(): boolean {
  return !matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** What the keys do that work everywhere on the page. */
export interface Shortcuts {
  /** "/" */
  readonly search: () => void;
  /** Escape, when no dialog takes it. */
  readonly escape: () => void;
}

export function listenForShortcuts({ search, escape }: Shortcuts): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]") !== null) return;
    if (event.key === "Escape") {
      event.preventDefault();
      escape();
    }
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target)) {
      event.preventDefault();
      search();
    }
  });
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

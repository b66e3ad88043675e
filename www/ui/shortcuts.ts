/** Actions of the keys that work everywhere on the page. */
export interface Shortcuts {
  /** The key "/". */
  readonly search: () => void;
  /** The Escape key, if no dialog is open. */
  readonly escape: () => void;
}

export function listenForShortcuts({ search, escape: cancel }: Shortcuts): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]") !== null) return;
    if (event.key === "Escape") {
      event.preventDefault();
      cancel();
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

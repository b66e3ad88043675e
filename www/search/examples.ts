import { element } from "../ui/dom.js";

/** Example questions from the bundled collection; keyword search ranks their right passages low. */
export class Examples {
  readonly #section = element("examples", HTMLElement);

  /** @param onQuestion called with the question that the user clicks */
  constructor(onQuestion: (question: string) => void) {
    this.#section.addEventListener("click", ({ target }) => {
      if (target instanceof HTMLButtonElement) onQuestion(target.textContent ?? "");
    });
  }

  set hidden(hidden: boolean) {
    // It stays in the layout, so that the content below does not move.
    this.#section.classList.toggle("invisible", hidden);
  }
}

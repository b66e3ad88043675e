import { element } from "../ui/dom.js";

/** The questions to begin with: some of the bundled collection whose right passage keywords put far down. */
export class Examples {
  readonly #section = element("examples", HTMLElement);

  /** @param onQuestion what happens with the question that is chosen */
  constructor(onQuestion: (question: string) => void) {
    this.#section.addEventListener("click", ({ target }) => {
      if (target instanceof HTMLButtonElement) onQuestion(target.textContent ?? "");
    });
  }

  set hidden(hidden: boolean) {
    // Not taken out of the layout: what is below must not jump.
    this.#section.classList.toggle("invisible", hidden);
  }
}

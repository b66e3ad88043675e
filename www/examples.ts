import { element, make } from "./dom.js";

/** Questions of the bundled collection whose right passage keywords put far down. */
const questions = [
  "How can cats tell whether they fit through a hole?",
  "Why do I feel dizzy after a merry-go-round?",
  "How do bees keep warm in the cold months?",
  "What happens when the sun runs out of fuel?",
  "How do crooks get people's passwords by email?",
  "On which side of the road do cars drive in Japan?",
];

/** The questions to begin with. */
export class Examples {
  readonly #section = element("examples", HTMLElement);

  /** @param ask what happens with the question that is chosen */
  constructor(ask: (question: string) => void) {
    element("example-list", HTMLUListElement).append(
      ...questions.map((question) => {
        const item = make("li", "");
        const button = make("button", "example", question);
        button.type = "button";
        button.addEventListener("click", () => ask(question));
        item.append(button);
        return item;
      }),
    );
  }

  set hidden(hidden: boolean) {
    // Not taken out of the layout: what is below must not jump.
    this.#section.classList.toggle("absent", hidden);
  }
}

import { Component, signal } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";

import { best } from "./rank.js";

@Component({ selector: "app-root", template: '<p id="best">{{ text() }}</p>' })
class App {
  readonly text = signal("");

  constructor() {
    best().then((text) => this.text.set(text));
  }
}

bootstrapApplication(App);

import { best } from "./rank.js";

// Parcel's development server has no await at the top level.
best().then((text) => (document.querySelector("#best").textContent = text));

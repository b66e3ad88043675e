import { best } from "./rank.js";

document.querySelector("#best").textContent = await best();

import { best } from "./rank.js";

document.querySelector("#root").innerHTML = '<p id="best"></p>';
document.querySelector("#best").textContent = await best();

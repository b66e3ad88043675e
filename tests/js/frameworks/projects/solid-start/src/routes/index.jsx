import { createSignal, onMount } from "solid-js";

import { best } from "../rank.js";

export default function Home() {
  const [text, setText] = createSignal("");
  onMount(async () => setText(await best()));
  return <p id="best">{text()}</p>;
}

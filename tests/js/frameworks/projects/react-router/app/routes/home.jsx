import { useEffect, useState } from "react";

import { best } from "../rank.js";

export default function Home() {
  const [text, setText] = useState("");
  useEffect(() => void best().then(setText), []);
  return <p id="best">{text}</p>;
}

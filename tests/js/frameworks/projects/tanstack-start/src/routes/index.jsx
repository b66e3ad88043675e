import { createFileRoute } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { best } from "../rank.js";

export const Route = createFileRoute("/")({ component: Home });

function Home() {
  const [text, setText] = useState("");
  useEffect(() => void best().then(setText), []);
  return <p id="best">{text}</p>;
}

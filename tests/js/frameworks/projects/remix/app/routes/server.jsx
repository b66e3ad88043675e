import { useLoaderData } from "@remix-run/react";

import { best } from "../rank.js";

export async function loader() {
  return { text: await best() };
}

export default function Server() {
  return <p id="best">{useLoaderData().text}</p>;
}

import { best } from "../rank.js";

export async function loader() {
  return { text: await best() };
}

export default function Server({ loaderData }) {
  return <p id="best">{loaderData.text}</p>;
}

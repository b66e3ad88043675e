import { best } from "../rank.js";

export async function loader() {
  return new Response(await best());
}

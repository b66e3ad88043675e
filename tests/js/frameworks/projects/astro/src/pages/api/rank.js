import { best } from "../../rank.js";

export const prerender = false;

export async function GET() {
  return new Response(await best());
}

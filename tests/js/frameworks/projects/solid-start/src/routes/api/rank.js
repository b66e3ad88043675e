import { best } from "../../rank.js";

export async function GET() {
  return new Response(await best());
}

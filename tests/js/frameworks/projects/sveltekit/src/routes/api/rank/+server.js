import { best } from "../../../lib/rank.js";

export async function GET() {
  return new Response(await best());
}

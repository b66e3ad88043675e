import { best } from "../../../rank.js";

export const dynamic = "force-dynamic";

export async function GET() {
  return new Response(await best());
}

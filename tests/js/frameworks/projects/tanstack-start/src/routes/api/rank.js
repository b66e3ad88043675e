import { createFileRoute } from "@tanstack/react-router";

import { best } from "../../rank.js";

export const Route = createFileRoute("/api/rank")({
  server: { handlers: { GET: async () => new Response(await best()) } },
});

// Answers clients of Cohere on this machine: node server.js
import { serve } from "@hono/node-server";
import { Reranker } from "ranklet";
import { createHandler } from "ranklet/server";

const { API_KEY } = process.env;
const handler = createHandler(await Reranker.load(), API_KEY === undefined ? {} : { apiKeys: API_KEY });
serve({ fetch: handler, hostname: "127.0.0.1", port: 8787 }, ({ port }) => console.log(`http://127.0.0.1:${port}`));

// A full-text search in Orama whose hits Ranklet puts in order: node search.js "a question"
import { create, insertMultiple, search } from "@orama/orama";
import { Reranker } from "ranklet";
import { pluginRanklet } from "ranklet/orama";

import { recipes } from "./recipes.js";

const term = process.argv[2] ?? "a dessert with fruit";

const reranker = await Reranker.load();
const database = await create({
  schema: { title: "string", description: "string", minutes: "number" },
  plugins: [pluginRanklet({ reranker, rankFields: ["title", "description"], topN: 3 })],
});
await insertMultiple(database, recipes);

// `threshold: 1` finds recipes that have any of the words. Filters, facets and the rest of Orama work as without the plug-in.
const { hits } = await search(database, { term, threshold: 1, where: { minutes: { lte: 60 } } });
for (const { score, document } of hits) console.log(score.toFixed(3), document.title);
reranker.dispose();

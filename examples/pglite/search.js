// Hybrid search in PGlite, Postgres as WebAssembly: full text and vectors find candidates, and Ranklet puts them in order.
//   node search.js "a question"
import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { Reranker } from "ranklet";

import { dimensions, embed } from "./embed.js";
import { notes } from "./notes.js";

const question = process.argv[2] ?? "why was the loaf flat";

const database = await PGlite.create({ extensions: { vector } });
await database.exec(`
  create extension vector;
  create table notes (
    id int primary key,
    title text not null,
    body text not null,
    embedding vector(${dimensions}) not null,
    words tsvector generated always as (to_tsvector('english', title || ' ' || body)) stored
  );
  create index on notes using gin (words);
`);
for (const [id, { title, body }] of notes.entries()) {
  await database.query("insert into notes values ($1, $2, $3, $4)", [id, title, body, JSON.stringify(embed(`${title} ${body}`))]);
}

// Each list gives a note 1 / (60 + its rank), and the sum orders the candidates (reciprocal rank fusion). The text list takes
// notes with any word of the question.
const { rows: candidates } = await database.query(
  `with
    question as (select replace(plainto_tsquery('english', $1)::text, '&', '|')::tsquery as words, $2::vector as embedding),
    text_list as (
      select id, rank() over (order by ts_rank(notes.words, question.words) desc) as rank
      from notes, question where notes.words @@ question.words limit 20
    ),
    vector_list as (
      select id, rank() over (order by notes.embedding <=> question.embedding) as rank
      from notes, question order by rank limit 20
    )
  select title, body
  from text_list full join vector_list using (id) join notes using (id)
  order by coalesce(1.0 / (60 + text_list.rank), 0) + coalesce(1.0 / (60 + vector_list.rank), 0) desc
  limit 20`,
  [question, JSON.stringify(embed(question))],
);

const reranker = await Reranker.load();
const { results } = await reranker.rerank({ query: question, documents: candidates, rankFields: ["title", "body"], topN: 3 });
for (const { index, score } of results) console.log(score.toFixed(3), candidates[index].title);
reranker.dispose();
await database.close();

// Ranks passages with transformers.js. It downloads its model from Hugging Face.
import { AutoModelForSequenceClassification, AutoTokenizer } from "@huggingface/transformers";

import { passages, query } from "./passages.js";

const name = "Xenova/ms-marco-MiniLM-L-6-v2";
const tokenizer = await AutoTokenizer.from_pretrained(name);
const model = await AutoModelForSequenceClassification.from_pretrained(name, { dtype: "q8" });

const inputs = tokenizer(new Array(passages.length).fill(query), { text_pair: passages, padding: true, truncation: true });
const { logits } = await model(inputs);
const ranking = logits
  .tolist()
  .map(([score], index) => ({ index, score }))
  .sort((a, b) => b.score - a.score);
for (const { index, score } of ranking.slice(0, 2)) console.log(score.toFixed(3), passages[index]);

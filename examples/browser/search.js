// Ranks a few passages again at each key press; the newest call ends the one before.
import { Reranker } from "ranklet";
import "ranklet/default-model";

const passages = [
  "Our office is closed on public holidays.",
  "Passwords must have at least twelve characters.",
  "Open Settings, choose Account, then select Forgot password.",
  "Invoices are sent on the first working day of each month.",
];
const [input, list] = [document.querySelector("#query"), document.querySelector("#results")];

const reranker = await Reranker.load();
const collection = await reranker.prepare(passages);

input.addEventListener("input", async () => {
  try {
    const options = { topN: 3, latest: true, returnDocuments: true };
    for await (const { results } of collection.rank(input.value, options)) show(results);
  } catch (error) {
    if (error.code !== "aborted") throw error;
  }
});
input.disabled = false;

function show(results) {
  list.replaceChildren(
    ...results.map(({ score, document: text }) => {
      const item = document.createElement("li");
      item.textContent = `${score.toFixed(3)} ${text}`;
      return item;
    }),
  );
}

// A page whose components the tests mount, change and unmount.
import "ranklet/default-model";
import { Reranker } from "ranklet";
import { useRanking, useReranker } from "ranklet/react";
import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const documents = ["Berlin is the capital of Germany.", "Paris is the capital of France and its largest city."];

globalThis.states = [];

function Hook({ query, count = 2, options, model }) {
  const { reranker, loading, error } = useReranker(model, options);
  // New arrays and objects each time, as components write them.
  const ranking = useRanking(
    reranker,
    query,
    Array.from({ length: count }, (_, at) => documents[at % 2]),
    { topN: 1, scores: "raw" },
  );
  globalThis.cancel = ranking.cancel;
  globalThis.reranker = reranker;
  const state = {
    loading,
    ranking: ranking.loading,
    best: ranking.results[0]?.document,
    code: error?.code ?? ranking.error?.code,
    done: ranking.progress?.done,
  };
  globalThis.states.push(state);
  return <pre>{JSON.stringify(state)}</pre>;
}

/** The effect that most people write: it forgets a reranker that is loaded after its cleanup. */
function Forgetful({ query }) {
  const [best, setBest] = useState();
  useEffect(() => {
    let reranker;
    Reranker.load().then(async (loaded) => {
      reranker = loaded;
      const { results } = await loaded.rerank({ query, documents, returnDocuments: true });
      setBest(results[0].document);
    });
    return () => reranker?.dispose();
  }, [query]);
  return <pre>{JSON.stringify({ best })}</pre>;
}

const components = { Hook, Forgetful };
let root;
globalThis.mount = (name, props, copies = 1) => {
  const Component = components[name];
  root ??= createRoot(document.querySelector("#app"));
  root.render(
    <StrictMode>
      {Array.from({ length: copies }, (_, at) => (
        <Component key={at} {...props} />
      ))}
    </StrictMode>,
  );
};
globalThis.unmount = () => {
  root?.unmount();
  root = undefined;
};
globalThis.read = () => [...document.querySelectorAll("pre")].map((pre) => JSON.parse(pre.textContent));

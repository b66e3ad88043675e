// Models that need no key: the embeddings count letters, and the language model repeats the first source. Put those of your
// provider in their place, for example `openai("...")` of @ai-sdk/openai.
import { MockEmbeddingModelV4, MockLanguageModelV4 } from "ai/test";

export const embeddingModel = new MockEmbeddingModelV4({
  maxEmbeddingsPerCall: 100,
  doEmbed: async ({ values }) => ({ embeddings: values.map(letterCounts), warnings: [] }),
});

export const languageModel = new MockLanguageModelV4({
  doGenerate: async ({ prompt }) => {
    const { text } = prompt.at(-1).content[0];
    const [, source] = /^\[1\] (.*)$/m.exec(text);
    return {
      content: [{ type: "text", text: `${source} [1]` }],
      finishReason: { unified: "stop", raw: undefined },
      usage: { inputTokens: { total: text.length }, outputTokens: { total: source.length } },
      warnings: [],
    };
  },
});

function letterCounts(text) {
  const counts = new Array(26).fill(0);
  for (const letter of text.toLowerCase().match(/[a-z]/g) ?? []) counts[letter.charCodeAt(0) - 97]++;
  return counts;
}

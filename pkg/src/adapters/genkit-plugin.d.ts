// The part of Genkit that ranklet/genkit calls. A test compiles the adapter against Genkit itself.
declare module "genkit/plugin" {
  interface GenkitDocument {
    readonly text: string;
    readonly content: object[];
    readonly metadata?: Record<string, unknown> | undefined;
  }
  interface RankedDocuments {
    documents: { content: object[]; metadata: { score: number } & Record<string, unknown> }[];
  }
  export function reranker(
    options: { name: string },
    rank: (query: GenkitDocument, documents: readonly GenkitDocument[], options: unknown) => Promise<RankedDocuments>,
  ): unknown;
  export function genkitPluginV2(options: { name: string; init: () => unknown[] }): unknown;
}

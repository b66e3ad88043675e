/** Short documents, enough for several micro-batches. */
export const severalBatches = Array.from({ length: 400 }, (_, at) => `document ${at} with a few words of its own, number ${at * 7919}`);

/** The upper bounds of the buckets of durations, in seconds. */
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/** Values that are read when the metrics are. */
interface Gauges {
  readonly running: number;
  readonly queued: number;
}

/** Numbers of a request that was answered. */
interface ScoredCounts {
  readonly documents: number;
  /** Tokens that the model has processed. */
  readonly tokens: number;
  readonly cacheHits: number;
}

/** Counters of a handler since it was made. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #buckets = durationBuckets.map(() => 0);
  #durationSum = 0;
  #durationCount = 0;
  #documents = 0;
  #tokens = 0;
  #cacheHits = 0;

  /** Counts an answer. `route` is one of the handler's routes, so that the number of labels is bounded. */
  countRequest(route: string, status: number): void {
    const labels = `path="${route}",status="${status}"`;
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1);
  }

  /** Counts the documents of an answered request, and the time from the request to the answer. */
  countScored({ documents, tokens, cacheHits }: ScoredCounts, seconds: number): void {
    this.#documents += documents;
    this.#tokens += tokens;
    this.#cacheHits += cacheHits;
    this.#durationSum += seconds;
    this.#durationCount++;
    durationBuckets.forEach((bound, index) => {
      if (seconds <= bound) this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
    });
  }

  /** Writes all metrics in Prometheus' text format. */
  text({ running, queued }: Gauges): string {
    const buckets = durationBuckets.map((bound, index) =>
      sample(`ranklet_request_duration_seconds_bucket{le="${bound}"}`, this.#buckets[index] ?? 0),
    );
    return [
      ...family("ranklet_requests_total", "counter", "Answered requests."),
      ...[...this.#requests].map(([labels, count]) => sample(`ranklet_requests_total{${labels}}`, count)),
      ...family("ranklet_documents_total", "counter", "Scored documents."),
      sample("ranklet_documents_total", this.#documents),
      ...family("ranklet_tokens_total", "counter", "Tokens that the model has processed."),
      sample("ranklet_tokens_total", this.#tokens),
      ...family("ranklet_score_cache_hits_total", "counter", "Documents whose score was in the score cache."),
      sample("ranklet_score_cache_hits_total", this.#cacheHits),
      ...family("ranklet_requests_running", "gauge", "Requests that are scored now."),
      sample("ranklet_requests_running", running),
      ...family("ranklet_requests_queued", "gauge", "Requests that wait."),
      sample("ranklet_requests_queued", queued),
      ...family("ranklet_request_duration_seconds", "histogram", "Time from a request to its answer, of requests that were scored."),
      ...buckets,
      sample('ranklet_request_duration_seconds_bucket{le="+Inf"}', this.#durationCount),
      sample("ranklet_request_duration_seconds_sum", this.#durationSum),
      sample("ranklet_request_duration_seconds_count", this.#durationCount),
      "",
    ].join("\n");
  }
}

function family(name: string, type: string, help: string): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function sample(name: string, value: number): string {
  return `${name} ${value}`;
}

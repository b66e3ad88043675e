// Loads a server with requests over connections that stay open.
import { Agent, request } from "node:http";

/** An answer that takes longer counts as an error. */
const timeoutMs = 60_000;

/**
 * Sends requests over `connections` connections for `seconds`. Each connection sends its next request when the last one is
 * answered.
 * @param {{ url: string, bodies: string[], connections: number, seconds: number, check: (body: object, index: number) => void }}
 *   load `url` takes POST requests; `bodies` are sent in turns; `check` throws if the answer to body number `index` is wrong
 * @returns {Promise<{ seconds: number, latencies: number[], errors: string[] }>} the time until the last answer, the
 *   latencies of right answers in milliseconds, and what went wrong
 */
export async function runLoad({ url, bodies, connections, seconds, check }) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const [latencies, errors] = [[], []];
  let next = 0;
  const started = performance.now();
  const end = started + seconds * 1000;
  const connection = async () => {
    while (performance.now() < end) {
      const index = next++ % bodies.length;
      const sent = performance.now();
      try {
        check(JSON.parse(await post(url, agent, bodies[index])), index);
        latencies.push(performance.now() - sent);
      } catch (error) {
        errors.push(error.message);
        // A server that is gone refuses connections at once.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  agent.destroy();
  return { seconds: (performance.now() - started) / 1000, latencies, errors };
}

/** Resolves to the body of an answer with status 200. */
function post(url, agent, body) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request(url, { method: "POST", agent, headers, timeout: timeoutMs }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.once("error", reject);
      response.once("end", () => {
        const text = Buffer.concat(parts).toString();
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`status ${response.statusCode}: ${text.slice(0, 200)}`));
      });
    });
    sent.once("timeout", () => sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    sent.once("error", reject);
    sent.end(body);
  });
}

/** Returns the value below which a share of the values are, for example 0.99 for p99. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

import { request as ask } from "node:http";

import { listen } from "./listen.js";

/**
 * Starts a proxy between the browser and the demo server. It records all requests (of the page, its worker and its service
 * worker) and causes faults.
 * @returns {Promise<{ url, requests: string[], faults: Map<string, object>, stop }>} `faults` by path: `{ status }` answers
 *   with a status, `{ share, until }` sends a share of the body and holds the rest until a promise resolves, `{ replace }` has the
 *   arguments that change its text
 */
export async function startProxy(target) {
  const requests = [];
  const faults = new Map();
  const { url, stop } = await listen((request, response) => {
    requests.push(request.url);
    const fault = faults.get(request.url) ?? {};
    if (fault.status !== undefined) return response.writeHead(fault.status).end();
    // What is changed must not be answered by "not modified".
    if (fault.replace !== undefined) delete request.headers["if-none-match"];
    const passed = ask(new URL(request.url, target), { method: request.method, headers: request.headers }, (answer) => {
      if (fault.replace !== undefined) return void sendChanged(answer, response, fault.replace);
      response.writeHead(answer.statusCode, answer.headers);
      if (fault.until === undefined) answer.pipe(response);
      else void sendHeld(answer, response, fault);
    });
    passed.on("error", () => response.destroy());
    request.pipe(passed);
  });
  return { url: `${url}/`, requests, faults, stop };
}

async function sendChanged(answer, response, replace) {
  const { "content-length": _, etag: __, ...headers } = answer.headers;
  response.writeHead(answer.statusCode, headers);
  response.end(
    Buffer.concat(await answer.toArray())
      .toString()
      .replace(...replace),
  );
}

async function sendHeld(answer, response, { share, until }) {
  response.on("error", () => {});
  const bytes = Buffer.concat(await answer.toArray());
  const first = Math.floor(share * bytes.length);
  response.write(bytes.subarray(0, first));
  await until;
  response.end(bytes.subarray(first));
}

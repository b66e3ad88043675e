import { request as ask } from "node:http";

import { listen } from "./listen.js";

/**
 * Starts a proxy between the browser and the demo server. It records all requests (of the page, its worker and its service
 * worker) and causes faults.
 * @returns {Promise<{ url, requests: string[], faults: Map<string, object>, stop }>} `faults` by path: `{ status }` answers
 *   with a status, `{ bytesPerSecond }` limits the speed of the body
 */
export async function startProxy(target) {
  const requests = [];
  const faults = new Map();
  const { url, stop } = await listen((request, response) => {
    requests.push(request.url);
    const fault = faults.get(request.url) ?? {};
    if (fault.status !== undefined) return response.writeHead(fault.status).end();
    const passed = ask(new URL(request.url, target), { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      if (fault.bytesPerSecond === undefined) answer.pipe(response);
      else trickle(answer, response, fault.bytesPerSecond);
    });
    passed.on("error", () => response.destroy());
    request.pipe(passed);
  });
  return { url: `${url}/`, requests, faults, stop };
}

async function trickle(answer, response, bytesPerSecond) {
  response.on("error", () => {});
  for await (const chunk of answer) {
    if (response.destroyed) return;
    response.write(chunk);
    await new Promise((done) => setTimeout(done, (chunk.length / bytesPerSecond) * 1000));
  }
  response.end();
}

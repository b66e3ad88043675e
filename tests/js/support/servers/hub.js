import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

import { listen } from "./listen.js";

/** The Hub's headers for requests from pages of other origins. */
const crossOrigin = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "authorization",
  "access-control-expose-headers": "x-repo-commit, x-linked-size, x-linked-etag, etag, content-range",
  "cache-control": "no-store",
};

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const etagOf = (bytes) => `"${createHash("sha1").update(bytes).digest("hex")}"`;

/** Answers a request for a file as HTTP says: its rest if a range is requested, nothing if the client has it. */
export function sendFile({ request, response, bytes, head }) {
  if (request.headers["if-none-match"] === head.etag) return response.writeHead(304, { ...head, "content-length": 0 }).end();
  const start = startOf(request, head);
  if (start >= bytes.length && start > 0) return faults.outOfRange({ response, head });
  response.writeHead(start === 0 ? 200 : 206, headFrom(start, bytes, head)).end(bytes.subarray(start));
}

/** Returns the offset of the first requested byte. */
function startOf({ headers }, { etag }) {
  const isValid = headers["if-range"] === undefined || headers["if-range"] === etag;
  return isValid ? Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0) : 0;
}

function headFrom(start, bytes, head) {
  if (start === 0) return head;
  return { ...head, "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}`, "content-length": bytes.length - start };
}

/** Returns the files of a model in a folder, in the form that `publish` takes. */
export function filesIn(folder) {
  const names = readdirSync(folder, { recursive: true }).filter((name) => /json$|safetensors$/.test(name) && name !== "expected.json");
  return new Map(names.map((name) => [name, readFileSync(new URL(name, folder))]));
}

/**
 * Faults by name. Each answers a request for a file with the content `bytes`; `head` has the headers of a correct answer,
 * content-length included.
 */
export const faults = {
  status:
    (code) =>
    ({ response }) =>
      response.writeHead(code, crossOrigin).end("no"),
  page: ({ response }) => response.writeHead(200, { ...crossOrigin, "content-type": "text/html; charset=utf-8" }).end("<!doctype html>"),
  empty: ({ response, head }) => response.writeHead(200, { ...head, "content-length": 0 }).end(),
  cut: ({ response, head, bytes }) => {
    response.writeHead(200, head);
    response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
  },
  /** Sends `count` bytes, from the first that is requested, and breaks off. */
  cutAt:
    (count, afterMs = 0) =>
    ({ request, response, head, bytes }) => {
      const start = startOf(request, head);
      response.writeHead(start === 0 ? 200 : 206, headFrom(start, bytes, head));
      response.write(bytes.subarray(start, start + count), () => setTimeout(() => response.destroy(), afterMs));
    },
  retryAfter:
    (status, value) =>
    ({ response }) =>
      response.writeHead(status, { ...crossOrigin, "retry-after": value, "access-control-expose-headers": "retry-after" }).end(),
  /** Sends the whole file, whatever is requested. */
  whole: ({ response, head, bytes }) => response.writeHead(200, head).end(bytes),
  /** Sends the beginning of an older version, which has another ETag. */
  olderBeginning: ({ bytes, head, ...exchange }) =>
    faults.cutAt(1000, 50)({ ...exchange, bytes: Buffer.alloc(bytes.length, "x"), head: { ...head, etag: '"old"' } }),
  outOfRange: ({ response, head }) => response.writeHead(416, { ...head, "content-length": 0 }).end(),
  wrongRange: ({ response, head, bytes }) => response.writeHead(206, headFrom(10, bytes, head)).end(bytes.subarray(10)),
  cutWithoutLength: ({ response, head: { "content-length": _, ...head }, bytes }) => {
    response.writeHead(200, head);
    response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
  },
  lengthTooLong: ({ response, head, bytes }) => {
    response.writeHead(200, { ...head, "content-length": bytes.length + 10 });
    response.write(bytes, () => response.destroy());
  },
  lengthTooShort: ({ response, head, bytes }) => {
    response.writeHead(200, { ...head, "content-length": bytes.length - 10, connection: "close" }).end(bytes.subarray(0, -10));
  },
  linkedSizeTooLong: ({ response, head, bytes }) => response.writeHead(200, { ...head, "x-linked-size": bytes.length + 10 }).end(bytes),
  linkedSizeTooShort: ({ response, head, bytes }) => response.writeHead(200, { ...head, "x-linked-size": bytes.length - 10 }).end(bytes),
  drip: async ({ response, head, bytes }) => {
    response.writeHead(200, head);
    const step = Math.ceil(bytes.length / 8);
    for (let at = 0; at < bytes.length; at += step) {
      response.write(bytes.subarray(at, at + step));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    response.end();
  },
  stall: ({ response, head, bytes }) => response.writeHead(200, head).write(bytes.subarray(0, bytes.length / 2)),
  otherCommit: ({ response, head, bytes }) => response.writeHead(200, { ...head, "x-repo-commit": "f".repeat(40) }).end(bytes),
  gzip: ({ response, head, bytes }) => {
    const packed = gzipSync(bytes);
    response.writeHead(200, { ...head, "content-encoding": "gzip", "content-length": packed.length }).end(packed);
  },
  redirect: ({ response, elsewhere }) => response.writeHead(302, { ...crossOrigin, location: elsewhere }).end(),
  redirectHere: ({ request, response, head, bytes }) => {
    if (request.url.endsWith("?again")) response.writeHead(200, head).end(bytes);
    else response.writeHead(307, { ...crossOrigin, location: `${request.url}?again` }).end();
  },
  redirectInCircles: ({ request, response }) => response.writeHead(302, { ...crossOrigin, location: request.url }).end(),
  redirectToFile: ({ response }) => response.writeHead(302, { ...crossOrigin, location: "file:///etc/hostname" }).end(),
};

/**
 * Returns a fault that answers each request with the next of `answers`, and later requests as HTTP says. It takes the answers out of
 * the list, so that a test can assert that each was sent.
 */
export const inTurn = (answers) => (exchange) => (answers.shift() ?? sendFile)(exchange);

/**
 * Returns a fault that answers the first request for the rest of a file with `rest`. Requests for the whole file before that break
 * off, and all requests after it are answered as HTTP says. `wasSent` says whether `rest` was sent.
 *
 * A client may lose all that has arrived when a connection breaks, as Chromium does with bytes that a page has not read. It then
 * requests the whole file again.
 */
export function restAnsweredBy(rest, beginning = faults.cutAt(1000, 50)) {
  const fault = (exchange) => {
    if (fault.wasSent) return sendFile(exchange);
    if (exchange.request.headers.range === undefined) return beginning(exchange);
    fault.wasSent = true;
    return rest(exchange);
  };
  fault.wasSent = false;
  return fault;
}

/** Counts the bytes of bodies. */
function count(response, hub) {
  for (const method of ["write", "end"]) {
    const send = response[method].bind(response);
    response[method] = (bytes, ...rest) => {
      hub.sent += bytes instanceof Uint8Array ? bytes.length : 0;
      return send(bytes, ...rest);
    };
  }
}

/**
 * Starts a server with the layout of the Hub, and one on another origin to which it redirects requests for large files.
 *
 * - `publish(id, files, revision)` makes a commit, sets `revision` to it, and returns it;
 * - `faults` maps file names to faults that answer instead, and "list" to one that answers for the list of files;
 * - `elsewhereFaults` does so for the other origin, `setFault` for the origin that sends a file, and `clearFaults` ends all;
 * - `reset()` forgets what a test has set and recorded, but not what was published;
 * - `sent` is the number of bytes sent so far;
 * - `tokens` give access to the models whose ids are in `gated`;
 * - `requests` lists { path, origin, authorization, range } of all requests for files, and `listings` those for lists of files;
 * - `down`, if true, closes every connection;
 * - `lists`, if true, answers requests for the list of a model's files, which not every mirror does.
 */
export async function startHub() {
  const hub = {
    faults: new Map(),
    elsewhereFaults: new Map(),
    gated: new Set(),
    tokens: new Set(),
    requests: [],
    listings: [],
    sent: 0,
    down: false,
    lists: false,
  };
  const commits = new Map();
  const revisions = new Map();

  hub.publish = (id, files, revision = "main") => {
    const hash = createHash("sha1");
    for (const [name, bytes] of files) hash.update(name).update(bytes);
    const commit = hash.digest("hex");
    commits.set(`${id} ${commit}`, files);
    revisions.set(`${id} ${revision}`, commit);
    return commit;
  };

  hub.setFault = (name, fault) => (isLarge(name) ? hub.elsewhereFaults : hub.faults).set(name, fault);
  hub.clearFaults = () => [hub.faults, hub.elsewhereFaults].forEach((set) => set.clear());
  hub.reset = () => {
    Object.assign(hub, { requests: [], listings: [], sent: 0, down: false, lists: false });
    hub.clearFaults();
    for (const set of [hub.gated, hub.tokens]) set.clear();
  };

  hub.handle = (request, response) => {
    if (!admit(request, response, "hub")) return;
    if (isListing(request)) return answerList(request, response);
    const [, id, revision, name] = /^.*?\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/([^?]+)/.exec(request.url) ?? [];
    const named = decodeURIComponent(revision ?? "");
    const commit = commits.has(`${id} ${named}`) ? named : revisions.get(`${id} ${named}`);
    const bytes = commits.get(`${id} ${commit}`)?.get(name);
    if (hub.gated.has(id) && !hub.tokens.has(request.headers.authorization?.replace(/^Bearer /, "")))
      return faults.status(401)({ response });
    const etag = bytes && etagOf(bytes);
    const head = {
      ...crossOrigin,
      ...(bytes && { etag }),
      "x-repo-commit": commit,
      "content-type": "text/plain; charset=utf-8",
      "content-length": bytes?.length,
    };
    const elsewhere = `${hub.elsewhere}/${id}/${commit}/${name}`;
    const fault = hub.faults.get(name);
    if (fault !== undefined) return fault({ request, response, bytes: bytes ?? Buffer.from("{}"), head, elsewhere });
    if (bytes === undefined) return faults.status(404)({ response });
    if (!isLarge(name)) return sendFile({ request, response, bytes, head });
    const linked = { "x-linked-size": bytes.length, "x-linked-etag": `"${sha256(bytes)}"` };
    return response.writeHead(302, { ...crossOrigin, "x-repo-commit": commit, ...linked, location: elsewhere }).end();
  };

  const answerList = (request, response) => {
    const fault = hub.faults.get("list");
    if (fault !== undefined) return fault({ request, response });
    const [, id, revision = ""] = /\/api\/models\/([^/]+\/[^/]+)\/revision\/([^/?]+)\?blobs=true$/.exec(request.url) ?? [];
    const sha = revisions.get(`${id} ${decodeURIComponent(revision)}`) ?? decodeURIComponent(revision);
    const files = commits.get(`${id} ${sha}`);
    if (!hub.lists || files === undefined) return faults.status(404)({ response });
    const siblings = [...files].map(([rfilename, bytes]) => ({
      rfilename,
      ...(isLarge(rfilename) && { lfs: { sha256: sha256(bytes), size: bytes.length } }),
    }));
    response.writeHead(200, { ...crossOrigin, "content-type": "application/json" }).end(JSON.stringify({ id, sha, siblings }));
  };

  const handleElsewhere = (request, response) => {
    if (!admit(request, response, "elsewhere")) return;
    const [, id, commit, name] = /^\/([^/]+\/[^/]+)\/([^/]+)\/(.+)$/.exec(request.url);
    const bytes = commits.get(`${id} ${commit}`).get(name);
    const head = { ...crossOrigin, etag: `"${sha256(bytes)}"`, "content-length": bytes.length };
    const exchange = { request, response, bytes, head };
    (hub.elsewhereFaults.get(name) ?? sendFile)(exchange);
  };

  const admit = (request, response, origin) => {
    const log = isListing(request) ? hub.listings : hub.requests;
    count(response, hub);
    log.push({ path: request.url, origin, authorization: request.headers.authorization, range: request.headers.range });
    if (hub.down) request.socket.destroy();
    else if (request.method === "OPTIONS") response.writeHead(204, crossOrigin).end();
    else return true;
    return false;
  };

  const [server, elsewhere] = await Promise.all([
    listen((request, response) => void hub.handle(request, response)),
    listen(handleElsewhere),
  ]);
  hub.url = server.url;
  hub.elsewhere = elsewhere.url;
  hub.stop = () => Promise.all([server.stop(), elsewhere.stop()]);
  return hub;
}

/** Whether the Hub stores a file of this name on another origin. */
const isLarge = (name) => /\.(safetensors|onnx|onnx_data)$/.test(name);

/** Whether a request is for the list of a model's files. */
const isListing = ({ url }) => url.includes("/api/models/");

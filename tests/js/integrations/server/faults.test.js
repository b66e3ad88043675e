// Clients and models that fail, over real connections: each fault has its answer, and the next request is right.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";

import { serve } from "@hono/node-server";

import { dist } from "../../support/paths.js";
import { question } from "../../support/servers/rerank-handler.js";

const { RankletError, Reranker } = await import(new URL("index.node.js", dist));
const { createHandler } = await import(new URL("server/index.js", dist));
const { query, documents, best } = question;
const timeout = 60_000;
const maxBodyBytes = 300_000;
/** Longer than this process is without the processor on a busy machine. */
const bodyTimeoutMs = 2000;

let reranker, server, port;
before(async () => {
  reranker = await Reranker.load();
  const failing = {
    info: reranker.info,
    rerank: (job) =>
      job.query === "a query that fails" ? Promise.reject(new RankletError("internal", "the engine failed")) : reranker.rerank(job),
  };
  server = serve({
    fetch: createHandler(failing, { bodyTimeoutMs, maxBodyBytes, onError: () => {} }),
    port: 0,
    hostname: "127.0.0.1",
  });
  await once(server, "listening");
  port = server.address().port;
});
after(async () => {
  server?.closeAllConnections();
  await new Promise((closed) => (server === undefined ? closed() : server.close(closed)));
  reranker?.dispose();
});

const post = (body) =>
  fetch(`http://127.0.0.1:${port}/v1/rerank`, { method: "POST", body: JSON.stringify(body), signal: AbortSignal.timeout(timeout) });

async function assertNextIsRight() {
  const answer = await post({ query, documents });
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).results[0].index, best);
}

/** Sends a request whose body does not end, and leaves the connection open. */
function sendPart(headers, part) {
  const socket = connect(port, "127.0.0.1");
  socket.write(`POST /v1/rerank HTTP/1.1\r\nhost: test\r\nconnection: close\r\n${headers}\r\n\r\n${part}`);
  // The server may close the connection before all is sent.
  socket.on("error", () => {});
  return socket;
}

/** Resolves to the answer on a connection, until the server closes it. */
async function answerOf(socket) {
  let text = "";
  socket.setEncoding("utf8").on("data", (part) => (text += part));
  await once(socket, "close");
  return text;
}

describe("the next request is right after", () => {
  test("a body that does not arrive in time", { timeout }, async () => {
    const slow = answerOf(sendPart("content-length: 100", '{"query": '));
    await assertNextIsRight();
    const answer = await slow;
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.match(answer, /the body did not arrive within 2000 ms/);
    await assertNextIsRight();
  });

  test("a client that goes away while it sends", { timeout }, async () => {
    const socket = sendPart("content-length: 100", '{"query": ');
    await once(socket, "connect");
    socket.destroy();
    await assertNextIsRight();
  });

  test("a body whose size is not known before it is too large", { timeout }, async () => {
    const chunk = `${(200_000).toString(16)}\r\n${" ".repeat(200_000)}\r\n`;
    const answer = await answerOf(sendPart("transfer-encoding: chunked", chunk + chunk));
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /more than 300000 bytes/);
    await assertNextIsRight();
  });

  test("a model that fails, also for requests that are under way", { timeout }, async () => {
    const answers = await Promise.all([
      post({ query, documents }),
      post({ query: "a query that fails", documents }),
      post({ query, documents }),
    ]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 500, 200],
    );
    assert.equal((await answers[2].json()).results[0].index, best);
    await assertNextIsRight();
  });
});

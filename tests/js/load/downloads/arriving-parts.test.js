// The parts that read weights while they are downloaded, each by itself.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { rejectsWith } from "../../support/assert.js";
import { dist } from "../../support/paths.js";
import { until } from "../../support/until.js";

const { ArrivingReader, isArriving } = await import(new URL("engine/arriving-reader.js", dist));
const { BlobReader } = await import(new URL("engine/blob-reader.js", dist));
const { ArrivingFile, wholeFiles } = await import(new URL("model/arriving-file.js", dist));
const { StoredSink } = await import(new URL("model/stored-sink.js", dist));

const megabyte = 2 ** 20;

/** Reads all bytes of a range, which a reader may return in parts. */
async function readAll(reader, start, end) {
  const parts = [];
  for (let at = start; at < end; at += parts.at(-1).length) parts.push(await reader.read(at, end));
  return Buffer.concat(parts);
}

describe("a Blob that is read as a stream", () => {
  const bytes = Buffer.from(Uint32Array.from({ length: 10 * megabyte }, (_, at) => Math.imul(at, 2_654_435_761)).buffer);
  const blob = new Blob([bytes]);
  const opened = [];
  blob.slice = (start, end) => {
    opened.push([start, end]);
    return Blob.prototype.slice.call(blob, start, end);
  };
  const assertRange = async (reader, start, end) =>
    assert.ok((await readAll(reader, start, end)).equals(bytes.subarray(start, end)), `${start} to ${end}`);

  test("is streamed in slices of at most 16 MB, and skips and steps back are right", async () => {
    const reader = new BlobReader("weights", blob);
    await assertRange(reader, 0, blob.size);
    assert.equal(opened.length, 3);
    for (const [start, end] of opened) assert.ok(end - start <= 16 * megabyte, `${start} to ${end}`);
    opened.length = 0;
    const slice = 16 * megabyte;
    await assertRange(reader, 5, 1000); // Back, in a new stream.
    await assertRange(reader, 2000, slice); // After a short skip, in the same stream.
    await assertRange(reader, slice + 1000, slice + 2000); // After one over the end of the slice.
    await assertRange(reader, slice + 5 + slice + 262_144, 35 * megabyte); // After the longest one.
    await assertRange(reader, 100, 200);
    await assertRange(reader, 39 * megabyte, 39 * megabyte + 7); // After a longer one, in a new stream.
    assert.deepEqual(
      opened.map(([start]) => start),
      [5, slice + 5, 2 * slice + 5, 100, 39 * megabyte],
    );
    reader.close();
    await rejectsWith("input", /weights can no longer be read: it ends after/, () => readAll(reader, blob.size - 5, blob.size + 5));
  });
});

describe("a file that arrives in pieces", () => {
  const arriving = () => {
    const { port1, port2 } = new MessageChannel();
    return { port: port1, reader: new ArrivingReader("weights", { size: 6, port: port2 }) };
  };

  for (const [what, send] of [
    ["a message that is not a Blob", (port) => port.postMessage(null)],
    ["a message that cannot be read", (_, own) => own.dispatchEvent(new Event("messageerror"))],
  ]) {
    test(`ends with ${what}, also while bytes are awaited`, async () => {
      const { port1, port2 } = new MessageChannel();
      const reader = new ArrivingReader("weights", { size: 6, port: port2 });
      port1.postMessage(new Blob(["abc"]));
      assert.equal(String(await readAll(reader, 1, 3)), "bc");
      const reading = reader.read(3, 6);
      send(port1, port2);
      await rejectsWith("input", /weights can no longer be read: it ended after 3 bytes/, () => reading);
      port1.postMessage(new Blob(["def"]));
      await rejectsWith("input", /it ended after 3 bytes/, () => reader.read(3, 6));
      port1.close();
      reader.close();
    });
  }

  test("is read forward only", async () => {
    const { port, reader } = arriving();
    for (const piece of ["abc", "def"]) port.postMessage(new Blob([piece]));
    assert.equal(String(await readAll(reader, 1, 5)), "bcde");
    await rejectsWith("input", /weights can no longer be read/, () => reader.read(2, 3));
    reader.close();
  });

  test("has a size of 0 or more, and a port", () => {
    const { port1: port } = new MessageChannel();
    assert.ok(isArriving({ size: 0, port }));
    for (const data of [{ size: -1, port }, { size: 0.5, port }, { size: 1 }, new Blob()])
      assert.ok(!isArriving(data), JSON.stringify(data));
    port.close();
  });
});

describe("a file that is being downloaded", () => {
  /** Returns the file, what reports its pieces, and what settles its download. */
  const downloading = () => {
    let listener, settle;
    const file = new ArrivingFile(6, (given) => {
      listener = given;
      return new Promise((resolve, reject) => {
        settle = { resolve, reject };
      });
    });
    return { file, listener, ...settle };
  };
  /** Collects the messages of a port. */
  const received = ({ port }) => {
    const messages = [];
    port.onmessage = ({ data }) => {
      messages.push(data);
      if (data === null) port.close();
    };
    return messages;
  };
  const isEnded = (messages) => messages.at(-1) === null;

  test("tells each worker that it is complete, has failed or begins again, and then only the whole counts", async () => {
    for (const end of ["complete", "failed", "invalid"]) {
      const { file, listener, resolve, reject } = downloading();
      const early = received(file.forWorker());
      listener.onPiece(new Blob(["abc"]));
      const late = received(file.forWorker());
      const whole = new Blob(["abcdef"]);
      if (end === "complete") resolve(whole);
      else if (end === "failed") reject(new Error("the connection broke"));
      else listener.onInvalidated();
      await until(() => isEnded(early) && isEnded(late));
      for (const messages of [early, late]) assert.equal(messages.length, 2, end);
      const next = file.forWorker();
      assert.ok(next instanceof Promise, end);
      if (end === "failed") await assert.rejects(next, /the connection broke/);
      resolve(whole);
      if (end !== "failed") assert.equal(await next, whole);
    }
  });

  test("is waited for, and files that are there stay the same map", async () => {
    const { file, resolve } = downloading();
    const [config, whole] = [new Blob(["{}"]), new Blob(["abcdef"])];
    const waiting = wholeFiles(
      new Map([
        ["config.json", config],
        ["model.safetensors", file],
      ]),
    );
    resolve(whole);
    assert.deepEqual([...(await waiting).values()], [config, whole]);
    const complete = new Map([["config.json", config]]);
    assert.equal(await wholeFiles(complete), complete);
  });

  test("is not read back from a store once its pieces do not count", async () => {
    const asked = [];
    let stored = new Blob();
    const store = {
      remove: async () => {},
      append: async (_, __, bytes) => (stored = new Blob([stored, bytes])),
      get: async () => stored,
      piece: async (_, start) => {
        asked.push(start);
        return start === 0 ? stored : undefined;
      },
    };
    const events = [];
    const pieces = { onPiece: ({ size }) => events.push(size), onInvalidated: () => events.push("invalid") };
    const sink = new StoredSink(store, "a/b", 0, { onStart: async () => {}, onFailure: () => {}, onFinish: () => {}, pieces });
    await sink.start({ url: "", bytes: 3 * 64 });
    for (let piece = 0; piece < 4; piece++) await sink.write(new Uint8Array(3));
    assert.equal((await sink.finish()).size, 12);
    assert.deepEqual(events, [3, "invalid"]);
    assert.deepEqual(asked, [0, 3]);
  });
});

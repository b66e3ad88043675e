import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { dist } from "../support/paths.js";

const { PortableSha256, hashOf } = await import(new URL("util/sha256.js", dist));

test("the SHA-256 in JavaScript is that of Node, for every length of a block and every size of pieces", async () => {
  const bytes = Uint8Array.from({ length: 200 }, (_, at) => (at * 151) % 256);
  for (let length = 0; length <= bytes.length; length++) {
    const content = bytes.subarray(0, length);
    const expected = createHash("sha256").update(content).digest("hex");
    for (const size of [1, 7, 64, 65, 200]) {
      const hash = new PortableSha256();
      for (let at = 0; at < length; at += size) hash.update(content.subarray(at, at + size));
      assert.equal(hash.digest("hex"), expected, `${length} bytes in pieces of ${size}`);
    }
  }
  const large = new Uint8Array(3_000_001).fill(200);
  assert.equal(await hashOf(new PortableSha256(), new Blob([large])), createHash("sha256").update(large).digest("hex"));
});

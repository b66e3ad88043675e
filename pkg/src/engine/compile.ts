import { messageOf, RankletError } from "../errors.js";
import type { Platform } from "../platform/platform.js";
import { withAbortController } from "../util/abort.js";
import { blobOfDataUrl } from "../util/data-url.js";
import {
  expectOk,
  type FetchFunction,
  isHtml,
  maxSilenceMs,
  type RequestOptions,
  request,
  statusOf,
  TransientError,
  unlessSilent,
} from "../util/request.js";
import { typeTag } from "../util/type-tag.js";

/** Where the engine is compiled from: the options of `load`. */
interface EngineOptions {
  /** The option `wasm`, with a path as a URL; `undefined` for the package's own file. */
  readonly wasm: unknown;
  readonly fetch: FetchFunction | undefined;
}

/** Max time for all bytes of the engine. `compileStreaming` does not tell when some arrive. */
const maxBodyMs = 10 * maxSilenceMs;

let latest: { readonly key: unknown; readonly module: Promise<WebAssembly.Module> } | undefined;

/** @throws RankletError `unsupported` if the runtime has no WebAssembly, as Fastly's */
export function requireWebAssembly(): void {
  if (typeof WebAssembly !== "object")
    throw new RankletError("unsupported", "load: this runtime has no WebAssembly, which the engine needs");
}

/**
 * Compiles the engine, once for all rerankers and workers that use the same file. After a failure, the next call tries again.
 * @throws RankletError `unsupported` if the runtime cannot compile it or has no such file, `network` if it cannot be downloaded
 */
export async function engineModule(platform: Platform, options: EngineOptions): Promise<WebAssembly.Module> {
  const key = typeTag(options.wasm) === "URL" ? (options.wasm as URL).href : options.wasm;
  if (latest === undefined || latest.key !== key) latest = { key, module: compile(platform, options) };
  const current = latest;
  try {
    return await current.module;
  } catch (error) {
    if (latest === current) latest = undefined;
    throw error;
  }
}

async function compile(platform: Platform, { wasm = platform.engine(), fetch }: EngineOptions): Promise<WebAssembly.Module> {
  try {
    switch (typeTag(wasm)) {
      case "WebAssembly.Module":
        return wasm as WebAssembly.Module;
      case "URL":
        return await compileUrl(platform, wasm as URL, fetch);
      case "Response":
        return await compileResponse(expectOk(wasm as Response, "the engine"));
      default:
        return await WebAssembly.compile(wasm as BufferSource);
    }
  } catch (error) {
    if (error instanceof RankletError) throw error;
    throw new RankletError("unsupported", `the engine cannot be compiled (${platform.engineNeeds}): ${messageOf(error)}`, { cause: error });
  }
}

async function compileUrl(platform: Platform, url: URL, fetch: FetchFunction | undefined): Promise<WebAssembly.Module> {
  if (url.protocol === "file:") return WebAssembly.compile(await readEngine(platform, url));
  if (url.protocol === "data:") return WebAssembly.compile(await blobOfDataUrl(url).arrayBuffer());
  return withAbortController(undefined, ({ signal }) => download(platform, url, { fetch, signal }));
}

async function download(platform: Platform, url: URL, options: RequestOptions): Promise<WebAssembly.Module> {
  const response = await request(url, options);
  const page = isHtml(response);
  if (response.ok && !page) return compileResponse(response);
  await response.body?.cancel();
  throw new RankletError(
    "network",
    `the engine is missing: ${url.href} answered ${page ? "a page of HTML" : statusOf(response)}; ${platform.missingFileAdvice}`,
  );
}

async function readEngine(platform: Platform, url: URL): Promise<ArrayBuffer> {
  let file: Blob | undefined;
  try {
    file = await platform.readFile(url);
  } catch (error) {
    if (error instanceof RankletError) throw error;
    throw new RankletError("unsupported", `the engine cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (file !== undefined) return file.arrayBuffer();
  throw new RankletError("unsupported", `the engine is missing: there is no ${url.href}; ${platform.missingFileAdvice}`);
}

async function compileResponse(response: Response): Promise<WebAssembly.Module> {
  try {
    // compileStreaming requires the MIME type, which many servers do not send.
    if (response.headers.get("content-type") === "application/wasm")
      return await unlessSilent(WebAssembly.compileStreaming(response), maxBodyMs);
    return await WebAssembly.compile(await unlessSilent(response.arrayBuffer(), maxBodyMs));
  } catch (error) {
    // The connection broke, or was silent.
    if ((error as Error | undefined)?.name === "TypeError" || error instanceof TransientError)
      throw new RankletError("network", `the engine could not be downloaded: ${messageOf(error)}`, { cause: error });
    throw error;
  }
}

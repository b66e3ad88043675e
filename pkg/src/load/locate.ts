import { RankletError } from "../errors.js";
import { embeddedModelOf, registeredModel } from "../model/embedded-models.js";
import { folderOf, type HubOptions, hubModel, idAdvice, isHubId } from "../model/hub.js";
import type { Platform } from "../platform/platform.js";
import type { LoadOptions, ModelSource } from "../types.js";
import { isObject, kindOf } from "../util/check.js";
import { typeTag } from "../util/type-tag.js";
import { firstOptionIn, readLoadOptions } from "./load-options.js";
import { offlineReason } from "./offline.js";
import type { LoadPlan, ModelLocation } from "./stages.js";

/**
 * Checks the arguments of `load`, and locates the model. The cache and the engine are located later.
 * @throws RankletError `input` or `unsupported` for an argument; `aborted` if the signal is
 */
export function planLoad(platform: Platform, source: ModelSource | undefined, options: LoadOptions | undefined): LoadPlan {
  const checked = readLoadOptions(platform, options);
  const location = locate(platform, source, checked.hub, checked.fetch !== undefined);
  return { options: checked, location, offline: offlineReason(location, checked.localFilesOnly) };
}

/**
 * Locates the files of the model that `load` was given.
 * @param hasFetch whether the option `fetch` was given
 * @throws RankletError `input` for a value that is not a model, or for options of another kind of model; `unsupported` for
 *   a model that this runtime cannot read
 */
export function locate(platform: Platform, source: unknown, options: HubOptions, hasFetch: boolean): ModelLocation {
  const embedded = embeddedModelOf(source);
  if (embedded === undefined && typeof source === "string" && isHubId(source)) {
    const hub = hubModel(platform, source, options);
    return { kind: "remote", folder: folderOf(hub, hub.revision), hub };
  }
  const location: ModelLocation =
    embedded === undefined
      ? locateElsewhere(platform, source, hasFetch)
      : { kind: "given", files: registeredModel(embedded) ?? platform.embeddedModel(embedded), missingAdvice: platform.missingFileAdvice };
  for (const name of ["revision", "baseUrl", "token"] as const) {
    if (options[name] === undefined) continue;
    throw new RankletError(
      "input",
      `load: ${name} is only for a Hub id, such as "org/name"; leave it out for a folder, for files and for a model of the package`,
    );
  }
  return location;
}

function locateElsewhere(platform: Platform, source: unknown, hasFetch: boolean): ModelLocation {
  const text = typeTag(source) === "URL" ? (source as URL).href : source;
  const advice = typeof text === "string" ? nameAdvice(text) : undefined;
  if (advice !== undefined) throw new RankletError("input", `load: ${kindOf(text)} is not the name of a model; ${advice}`);
  if (typeof source === "string") return locateFolder(folderUrl(platform, source, hasFetch));
  if (typeTag(source) === "URL") return locateFolder(source as URL);
  if (isObject(source)) {
    const option = firstOptionIn(source);
    if (option === undefined) return { kind: "given", files: source };
    throw new RankletError("input", `load: options are the second argument, as in load(undefined, { ${option}: … })`);
  }
  throw new RankletError("input", `load: the model must be a Hub id, a folder's URL or its files, not ${kindOf(source)}`);
}

/** Returns what to pass instead of a name of a model that only other libraries or guesses have. */
function nameAdvice(text: string): string | undefined {
  if (text === "default" || text === "small") return 'load() loads the default model, and load("ranklet/small") the small one';
  return idAdvice(text);
}

function folderUrl(platform: Platform, source: string, hasFetch: boolean): URL {
  if (isPath(platform, source)) return platform.folderUrl(source, hasFetch);
  if (/^(https?:\/\/|file:\/)/i.test(source) && URL.canParse(source)) return new URL(source);
  throw new RankletError(
    "input",
    `load: ${kindOf(source)} is neither a Hub id such as "org/name", nor a folder's URL, nor a path that starts with "/", "./" or "../"`,
  );
}

/**
 * Returns the URL of the file that a string names: a URL or a path, as bundlers give them for imported files. Returns
 * `undefined` for other strings.
 */
export function fileUrl(platform: Platform, text: string, hasFetch: boolean): URL | undefined {
  if (!isPath(platform, text)) return /^(https?|file|data|blob):/i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  const url = platform.folderUrl(text, hasFetch);
  return new URL(url.href.replace(/\/$/, ""));
}

/**
 * Returns the option `wasm`, with a string as a URL.
 * @throws RankletError `input` for a string that is neither a URL nor a path
 */
export function locateEngine(platform: Platform, wasm: unknown, hasFetch: boolean): unknown {
  if (typeof wasm !== "string") return wasm;
  const url = fileUrl(platform, wasm, hasFetch);
  if (url !== undefined) return url;
  throw new RankletError("input", `load: wasm ${kindOf(wasm)} is neither a URL nor a path that starts with "/", "./" or "../"`);
}

function isPath(platform: Platform, text: string): boolean {
  return /^(\/|\.\.?(\/|$))/.test(text) || platform.isNativePath(text);
}

function locateFolder(url: URL): ModelLocation {
  if (url.username !== "" || url.password !== "") {
    throw new RankletError(
      "input",
      "load: a folder's URL cannot contain a user or password; fetch the files yourself and give them to load",
    );
  }
  if (url.search !== "" || url.hash !== "") {
    throw new RankletError("input", `load: ${url.href} has a query or fragment, which cannot apply to the files of a folder; leave it out`);
  }
  const folder = new URL(url.href.endsWith("/") ? url.href : `${url.href}/`);
  if (folder.protocol === "file:") return { kind: "local", folder };
  if (folder.protocol === "https:" || folder.protocol === "http:") return { kind: "remote", folder, hub: undefined };
  throw new RankletError("input", `load: a folder's URL must begin with https:, http: or file:, not ${folder.protocol}`);
}

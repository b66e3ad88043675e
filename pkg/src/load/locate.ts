import { RankletError } from "../errors.js";
import { isObject, kindOf } from "../util/check.js";
import type { Platform } from "../platform/platform.js";
import { hubModel, isHubId, type HubModel, type HubOptions } from "../model/hub.js";
import { tagOf } from "../util/type-tag.js";

/** A folder behind http. */
export interface RemoteFolder {
  readonly kind: "remote";
  readonly folder: URL;
  /** The model of a Hub that the folder belongs to, where it was named by its id. */
  readonly hub: HubModel | undefined;
}

/** Where a model's files are. */
export type Source =
  | { readonly kind: "given"; readonly files: Readonly<Record<string, unknown>> }
  | { readonly kind: "local"; readonly folder: URL }
  | RemoteFolder;

/**
 * Reads what `load` was given as its model.
 * @throws RankletError `input` for what is no model, or for options that belong to another kind of model;
 *   `unsupported` for a model that cannot be read here
 */
export function readSource(platform: Platform, source: unknown, options: HubOptions): Source {
  if (typeof source === "string" && isHubId(source)) {
    const hub = hubModel(platform, source, options);
    return { kind: "remote", folder: hub.folder(hub.revision), hub };
  }
  const found = otherSource(platform, source);
  for (const name of ["revision", "baseUrl", "token"] as const) {
    if (options[name] === undefined) continue;
    throw new RankletError(
      "input",
      `load: ${name} belongs to a model named by its Hub id, such as "org/name"; leave it out for a folder, for files and for the default model`,
    );
  }
  return found;
}

function otherSource(platform: Platform, source: unknown): Source {
  if (source === undefined) return { kind: "given", files: platform.defaultModel() };
  if (typeof source === "string") return folderSource(folderOf(platform, source));
  if (tagOf(source) === "URL") return folderSource(source as URL);
  if (isObject(source)) return { kind: "given", files: source };
  throw new RankletError("input", `load: the model must be a Hub id, a folder's URL or its files, not ${kindOf(source)}`);
}

function folderOf(platform: Platform, source: string): URL {
  if (/^(\/|\.\.?(\/|$))/.test(source)) return platform.folderUrl(source);
  if (/^(https?|file):\/\//i.test(source) && URL.canParse(source)) return new URL(source);
  throw new RankletError(
    "input",
    `load: ${kindOf(source)} is neither a Hub id such as "org/name", nor a folder's URL, nor a path that starts with "/", "./" or "../"`,
  );
}

function folderSource(url: URL): Source {
  if (url.username !== "" || url.password !== "") {
    throw new RankletError("input", "load: a folder's URL cannot hold a user or a password; fetch the files yourself and give them to load");
  }
  if (url.search !== "" || url.hash !== "") {
    throw new RankletError("input", `load: ${url.href} has a query or fragment, which the files in the folder cannot take over`);
  }
  const folder = new URL(url.href.endsWith("/") ? url.href : `${url.href}/`);
  if (folder.protocol === "file:") return { kind: "local", folder };
  if (folder.protocol === "https:" || folder.protocol === "http:") return { kind: "remote", folder, hub: undefined };
  throw new RankletError("input", `load: a folder's URL must begin with https:, http: or file:, not ${folder.protocol}`);
}

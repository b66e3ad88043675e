import { RankletError } from "../errors.js";
import type { HubEnvironment, Setting } from "../platform/hub-environment.js";
import type { Platform } from "../platform/platform.js";

/** The options of `load` for a model of a Hub. */
export interface HubOptions {
  readonly revision: string | undefined;
  readonly baseUrl: string | undefined;
  readonly token: string | undefined;
}

/** A model of a Hub at one revision. */
export interface HubModel {
  readonly id: string;
  readonly revision: string;
  readonly token: Setting | undefined;
  /** Where an access token can be given, as advice says it. */
  readonly tokenPlaces: string;
  /** The name of the environment variable that forbids requests, if one does. */
  readonly offline: string | undefined;
  /** Where the Hub lists the model's files at the revision, with their hashes. */
  readonly listing: URL;
  /** The server's address. */
  readonly base: URL;
}

/** Whether `source` has the form `org/name`. */
export function isHubId(source: string): boolean {
  return /^\w[\w.-]{0,95}\/\w[\w.-]{0,95}$/.test(source) && !source.includes("..");
}

/** A folder in the working directory, such as `models/default`, is the id of a model unless it starts with a dot. */
export const pathAdvice = '(a path starts with "./")';

/** A Hub id in a form of other libraries: the page of the model, or with a scheme, a revision or a slash at the end. */
const foreignForm = /^(?:(?:https?:\/\/)?(?:huggingface|hf)\.co\/|hf:(?:\/\/)?)?([^/:@]+\/[^/:@]+)(?:\/|@(.+)|\/tree\/([^/]+)\/?)?$/;

/** Returns what to pass instead of a name of a model, if it is the Hub id that other libraries take. */
export function idAdvice(source: string): string | undefined {
  const [, id, ...revisions] = foreignForm.exec(source) ?? [];
  if (id === undefined || !isHubId(id)) return undefined;
  if (source === `${id}/`) return `pass "${id}" ${pathAdvice}`;
  const revision = revisions.find((found) => found !== undefined);
  return `pass "${id}"${revision === undefined ? "" : ` and the option revision: "${revision}"`}`;
}

const defaultBase: Setting = { value: "https://huggingface.co/", name: "the default server" };

/**
 * Locates a model of a Hub. Options precede the environment.
 * @throws RankletError `input` for an option that cannot be used
 */
export function hubModel(platform: Platform, id: string, { revision = "main", baseUrl, token }: HubOptions): HubModel {
  if (!/^[\x21-\x7e]{1,255}$/.test(revision) || revision.includes("..") || revision === ".") {
    throw new RankletError("input", 'load: revision must be the name of a branch, a tag or a commit, such as "main"');
  }
  const environment = platform.hubEnvironment();
  const endpoint = environment?.endpoint ?? defaultBase;
  const base = baseFolder(platform, baseUrl === undefined ? endpoint : { value: baseUrl, name: "load: baseUrl" });
  return {
    id,
    revision,
    token: token === undefined ? environmentToken(environment, base, endpoint) : { value: token, name: "the token" },
    tokenPlaces: environment === undefined ? "as the option token" : "as the option token or in the environment variable HF_TOKEN",
    offline: environment?.offline,
    listing: new URL(`api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`, base),
    base,
  };
}

/** Returns the folder with a model's files at a branch, tag or commit. */
export function folderOf({ id, base }: HubModel, revision: string): URL {
  return new URL(`${id}/resolve/${encodeURIComponent(revision)}/`, base);
}

/**
 * Checks an access token. The error does not repeat it, because it is a secret.
 * @throws RankletError `input`
 */
export function accessToken(value: unknown, name: string): string {
  if (typeof value === "string" && /^[\x21-\x7e]+$/.test(value)) return value;
  throw new RankletError("input", `${name} must be an access token: a string of visible ASCII characters without spaces`);
}

/** Returns the environment's token, unless the option `baseUrl` names another server than the one it is for. */
function environmentToken(environment: HubEnvironment | undefined, base: URL, endpoint: Setting): Setting | undefined {
  const token = environment?.token;
  if (token === undefined || !URL.canParse(endpoint.value) || new URL(endpoint.value).origin !== base.origin) return undefined;
  return { ...token, value: accessToken(token.value, token.name) };
}

/** Returns `name` if it is a commit's full hash and not a branch or tag. */
export function commitOf(name: string | undefined): string | undefined {
  return name !== undefined && /^[0-9a-f]{40}$/.test(name) ? name : undefined;
}

/** Returns advice for the user if a Hub answers the request for a file with this status. */
export function hubAdvice({ id, revision, token, tokenPlaces }: HubModel, status: number): string | undefined {
  if (status === 404) return `check the id "${id}" and the revision "${revision}" ${pathAdvice}`;
  if (status !== 401 && status !== 403) return undefined;
  return token === undefined
    ? `"${id}" does not exist, or is private or gated and needs an access token ${tokenPlaces} ${pathAdvice}`
    : `${token.name} has no access to "${id}", or there is no such model`;
}

/** Returns the URL that ids are relative to. Errors do not repeat it, because it may contain a password. */
function baseFolder(platform: Platform, { value: baseUrl, name }: Setting): URL {
  const page = platform.pageUrl();
  if (!URL.canParse(baseUrl, page)) {
    const expected = page === undefined ? "an http or https URL" : "an http or https URL, or one relative to the page";
    throw new RankletError("input", `${name} must be ${expected}`);
  }
  const base = new URL(baseUrl, page);
  const plain = base.search === "" && base.hash === "" && base.username === "" && base.password === "";
  if (!/^https?:$/.test(base.protocol) || !plain) {
    throw new RankletError("input", `${name} must be an http or https URL without a query, a fragment, a user or a password`);
  }
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return base;
}

import { resolve, win32 } from "node:path";
import { pathToFileURL } from "node:url";

/** The rules that paths follow. */
export interface PathRules {
  readonly windows: boolean;
}

/** Whether a text is a path only by the rules of Windows: it begins with a drive, or contains a backslash. */
export function isWindowsPath(text: string, { windows }: PathRules): boolean {
  return windows && /^[a-z]:[\\/]|^[^:]*\\/i.test(text);
}

/** Returns the file: URL of the folder at a path. */
export function folderUrl(path: string, { windows }: PathRules): URL {
  // The rules are given as an option too, so that those of Windows can be tested on other systems.
  const url = windows ? pathToFileURL(win32.resolve(path), { windows }) : pathToFileURL(resolve(path));
  url.pathname = url.pathname.replace(/\/*$/, "/");
  return url;
}

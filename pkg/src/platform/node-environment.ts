import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { HubEnvironment, Setting } from "./hub-environment.js";

/** Whether a variable could not be read. */
let isDenied = false;

/** Returns an environment variable. Returns `undefined` if it is not set, is empty, or may not be read. */
export function environmentVariable(name: string): string | undefined {
  try {
    return process.env[name] || undefined;
  } catch {
    isDenied = true;
    return undefined; // Deno throws without the permission.
  }
}

/** Reads the variables of Hugging Face's own tools. */
export function hubEnvironment(): HubEnvironment {
  const endpoint = setting("HF_ENDPOINT");
  const token = setting("HF_TOKEN") ?? setting("HUGGING_FACE_HUB_TOKEN") ?? tokenInFile();
  const offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].find((name) => /^(1|on|yes|true)$/i.test(environmentVariable(name) ?? ""));
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(token === undefined ? {} : { token }),
    ...(offline === undefined ? {} : { offline }),
    ...(isDenied
      ? {
          warning:
            "HF_TOKEN, HF_ENDPOINT and other environment variables were not read, because Deno does not permit it: run with --allow-env",
        }
      : {}),
  };
}

function setting(name: string): Setting | undefined {
  const value = environmentVariable(name)?.trim() ?? "";
  return value === "" ? undefined : { value, name: `the environment variable ${name}` };
}

/** Reads the token that HF's login has saved where `HF_TOKEN_PATH` or `HF_HOME` says. */
function tokenInFile(): Setting | undefined {
  const home = environmentVariable("HF_HOME");
  const path = environmentVariable("HF_TOKEN_PATH") ?? (home === undefined ? undefined : join(home, "token"));
  if (path === undefined) return undefined;
  try {
    const value = readFileSync(path, "utf8").trim();
    return value === "" ? undefined : { value, name: `the token file ${path}` };
  } catch {
    return undefined; // There is none, or it may not be read. A model may be public.
  }
}

/** A setting from the environment, and the name that errors give it. */
export interface Setting {
  readonly value: string;
  readonly name: string;
}

/** Settings for Hubs in the environment of a process, by the variables of huggingface_hub. */
export interface HubEnvironment {
  /** The server of all models. */
  readonly endpoint?: Setting;
  /** The access token for the server. */
  readonly token?: Setting;
  /** The name of the variable that forbids requests, if one does. */
  readonly offline?: string;
  /** The reason why the environment cannot be read, as `info.warnings` says it. */
  readonly warning?: string;
}

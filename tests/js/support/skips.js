// Values of a test's option `skip`: the reason why it cannot run here, or false.
import { existsSync } from "node:fs";

/** Whether the tests also run what takes long or installs packages, as `./build.sh test --long` does. */
export const isLong = process.env.RANKLET_LONG === "1";

/** Skips a test unless `isLong`. `does` says what only long tests do, such as "installs the tools". */
export const unlessLong = (does) => !isLong && `only ./build.sh test --long ${does}`;

/** Skips a test that reads this file of a process in /proc, if the system has none. */
export const unlessProc = (name) => !existsSync(`/proc/self/${name}`) && `the system has no /proc/self/${name}`;

// `console` in a component, where there is none of its own: what it is told goes into the host's log.

import { write } from "sluice:plugin/log@1.0.0";

/** A value as a person would write it; an error with where it was thrown. */
function shown(value) {
  if (value instanceof Error) return `${value}\n${value.stack}`.trimEnd();
  if (typeof value !== "object") return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return String(value); // What holds itself has no JSON.
  }
}

const to = (level) => (...values) => write(level, values.map(shown).join(" "));

globalThis.console = { debug: to("debug"), log: to("info"), info: to("info"), warn: to("warn"), error: to("warn") };

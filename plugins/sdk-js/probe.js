// Whether a data source's target answers, for plugins of the world `data-source-with-probe`.

import { reach } from "sluice:plugin/net@1.0.0";

import { finding } from "./sluice.js";

const USUAL = { https: [443, "required"], wss: [443, "required"], http: [80, "off"], ws: [80, "off"] };

/**
 * The address of an endpoint as traits name it: `host:port`, or a URL's scheme, host and port.
 *
 * A bare `host:port` is reached without TLS: what databases speak negotiates it in a protocol of
 * their own.
 */
function address(endpoint) {
  const found = /^(?:([a-z]+):\/\/)?(\[[^\]]*\]|[^:/?#]*)(?::(\d+))?(?:[/?#].*)?$/.exec(endpoint);
  if (!found) return null;
  const [usual, tls] = USUAL[found[1]] ?? [0, "off"];
  const host = found[2].replace(/^\[|\]$/g, "");
  const port = Number(found[3] ?? usual);
  return host !== "" && port > 0 && port < 65536 ? { host, port, tls } : null;
}

const TOLD = {
  "not-granted": "the workspace does not grant it",
  unresolved: "its name has no address",
  "private-address": "its address is private and not granted",
  refused: "nobody answers there",
  "timed-out": "there was no answer in time",
  "too-large": "its answer is too large",
  limit: "it was asked too often",
  "bad-response": "it does not speak HTTP",
};

const FIX = {
  "not-granted": "grant the host to the plugin in the configuration, if it may be asked",
  "private-address": "grant the private range to the plugin in the configuration, if it may be asked",
  unresolved: "correct the host in the environment's binding",
};

/** What a plugin exports as `probing`: whether all endpoints of the source take a connection. */
export function probing({ rendered }) {
  const probe = (source, target, _credentials) => {
    const { endpoints } = rendered(source).traits;
    const findings = endpoints.flatMap((endpoint) => {
      const found = address(endpoint);
      if (!found) {
        const fix = "give the option its value for this environment";
        return [finding("warning", "target.unknown", `\`${endpoint}\` names no host and port`, { fix })];
      }
      try {
        reach(found.host, found.port, found.tls);
        return [];
      } catch ({ payload: failure }) {
        const why = TOLD[failure.tag] ?? `${failure.tag}, ${failure.val}`;
        const message = `\`${found.host}:${found.port}\` in ${target.name} is not reached: ${why}`;
        const fix = FIX[failure.tag] ?? "see that the target runs and can be reached from here";
        return [finding("warning", "target.unreachable", message, { fix })];
      }
    });
    // What has no address was not asked: it is neither there nor not.
    const isUnreached = findings.some(({ code }) => code === "target.unreachable");
    const isKnown = endpoints.length > 0 && (isUnreached || findings.length === 0);
    return { reachable: isKnown ? !isUnreached : null, authenticated: null, findings };
  };
  return { probe };
}

// What the component exports.

import { probing as probe } from "../sdk-js/probe.js";
import { transforming } from "./plugin.js";

export { transforming };
export const probing = probe(transforming);

// Plugin for AWS Lambda, as Appsmith and Lowcoder spell it.
//
// Appsmith keeps the region as the second of a list of properties.

import { family, finding, owned, place, required, secret } from "../sdk-js/sluice.js";

const ACCESS_KEY = "The access key's id, which names the account";
const SECRET_KEY = "The access key's secret";
const REGION = "The region that the functions run in";

/** Where each platform keeps what traits are made from. */
const KEYS = {
  appsmith: { account: "authentication/username", region: "properties/1/value" },
  lowcoder: { account: "accessKey", region: "region" },
};

export const transforming = family({
  kinds: [
    {
      platform: "appsmith",
      name: "AWS Lambda",
      options: [
        required(place("authentication/username", "text", ACCESS_KEY)),
        place("properties/1/value", "text", REGION),
        owned("properties/1/key", "text", "The name of the property that holds the region"),
        owned("authentication/authenticationType", "text", "How the account is proved"),
      ],
      slots: [required(secret("secret-key", "authentication/password", SECRET_KEY))],
    },
    {
      platform: "lowcoder",
      name: "lambda",
      options: [required(place("accessKey", "text", ACCESS_KEY)), required(place("region", "text", REGION))],
      slots: [required(secret("secret-key", "secretKey", SECRET_KEY))],
    },
  ],

  traits(options, { platform }) {
    const region = options.text(KEYS[platform].region);
    return {
      endpoints: region ? [`https://lambda.${region}.amazonaws.com`] : [],
      tls: true,
      account: options.text(KEYS[platform].account),
    };
  },

  notes(options, traits, target, kind) {
    if (traits.endpoints.length > 0) return [];
    const message = `no region is set in ${target.name}, so that the platform's own default decides where functions run`;
    return [finding("warning", "region.none", message, { at: kind.at(KEYS[kind.platform].region), fix: "bind the region" })];
  },
});

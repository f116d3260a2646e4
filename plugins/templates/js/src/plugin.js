// What the plugin knows of its kind, as a table, and what the table cannot say.

import { choice, family, finding, fixed, owned, perEnvironment, place, required, secret } from "../sdk/sluice.js";

export const transforming = family({
  kinds: [
    {
      platform: "lowcoder",
      name: "{{name}}",
      options: [
        required(place("url", "url", "Where the service is")),
        owned("account", "text", "The account to sign in as"),
        perEnvironment(choice("tls", ["verify", "trust", "off"], "Which certificates are accepted")),
        fixed("pageSize", "number", "How many records a page has"),
      ],
      slots: [required(secret("token", "token", "The account's token"))],
    },
  ],

  // What policies want to know of a data source that was made for its environment.
  traits(options) {
    const url = options.text("url");
    const account = options.text("account");
    return {
      endpoints: url ? [url] : [],
      tls: url ? url.startsWith("https://") : null,
      account,
      privileged: account && account.toLowerCase() === "admin",
    };
  },

  // What is odd about it. The table has judged the options by then.
  notes(options, traits, target, kind) {
    if (options.text("tls") !== "off") return [];
    const message = `any certificate is accepted in ${target.name}`;
    return [finding("warning", "tls.unverified", message, { at: kind.at("tls"), fix: "bind `verify`" })];
  },
});

// A real OpenID provider (oidc-provider) for the tests of signing in with one.
// Reads {port, redirect_uri, logout_uri, client_secret} as JSON from stdin, says "ready"
// on stdout, and signs in whoever gives a name as <name>@acme.test.
import { readFileSync } from "node:fs";
import Provider from "oidc-provider";

const given = JSON.parse(readFileSync(0, "utf8"));
const provider = new Provider(`http://127.0.0.1:${given.port}`, {
  clients: [
    {
      client_id: "parley",
      client_secret: given.client_secret,
      redirect_uris: [given.redirect_uri],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      backchannel_logout_uri: given.logout_uri,
      backchannel_logout_session_required: true,
    },
  ],
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["name", "locale"],
  },
  features: { backchannelLogout: { enabled: true } },
  // Its own guard refuses loopback, where the house of the tests is.
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
  cookies: { keys: ["only for tests"] },
  findAccount: (_, name) => ({
    accountId: name,
    claims: async () => ({
      sub: name,
      email: `${name}@acme.test`,
      email_verified: true,
      name: `The ${name}`,
      locale: "de",
    }),
  }),
});
provider.on("backchannel.error", (_, error) => console.error(error));
provider.on("server_error", (_, error) => console.error(error));
provider.listen(given.port, "127.0.0.1", () => console.log("ready"));

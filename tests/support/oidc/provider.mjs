// A certified OpenID provider for the tests:  node provider.mjs PORT REDIRECT_URI AFTER_SIGN_OUT BACK_CHANNEL [KEY_NAME]
import { generateKeyPairSync } from "node:crypto";
import { Provider } from "oidc-provider";

const [port, redirectUri, afterSignOut, backChannel, kid = "first"] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const people = {
  anna: { email: "anna@sundsvall.se", email_verified: true, name: "Anna Ek", groups: ["it"] },
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "samrad", client_secret: "a-secret-of-the-client", redirect_uris: [redirectUri],
    post_logout_redirect_uris: [afterSignOut], grant_types: ["authorization_code"],
    token_endpoint_auth_method: "client_secret_basic",
    backchannel_logout_uri: backChannel, backchannel_logout_session_required: true,
  }],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" }] },
  cookies: { keys: ["only for tests"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  scopes: ["openid", "email", "profile", "groups"],
  findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, ...people[id] }) }),
  features: { backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  // Its own guard refuses this machine's addresses, where the tests are.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  pkce: { required: () => true },
});
provider.on("backchannel.error", (ctx, error) => console.error("back-channel logout failed:", error.message, error.cause));
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));

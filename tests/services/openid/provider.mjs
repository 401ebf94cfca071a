// The certified OpenID provider `oidc-provider` on loopback, with its own pages for login and consent.
// node provider.mjs MODULES CLIENT REDIRECT: the client's secret comes by OPENID_SECRET; the issuer is printed.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, client, redirect] = process.argv.slice(2);
const found = createRequire(`${modules}/`).resolve("oidc-provider");
const { Provider } = await import(pathToFileURL(found));

const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [{ client_id: client, client_secret: process.env.OPENID_SECRET, redirect_uris: [redirect] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"] },
  cookies: { keys: ["of this test"] },
  findAccount: (_, id) => ({
    accountId: `${id}`,
    claims: () => ({
      sub: `${id}`,
      email: `${id}@example.org`,
      email_verified: true,
      name: `${id} of the institute`,
      preferred_username: id,
    }),
  }),
});
provider.on("server_error", (_, error) => console.error(error));
server.on("request", provider.callback());
console.log(issuer);

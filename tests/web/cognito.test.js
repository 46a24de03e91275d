/** Signing in at a user pool: what is asked, what is believed, what is kept. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Cognito,
  SignInError,
  authorizeUrl,
  base64url,
  challengeOf,
  logoutUrl,
  poolOf,
  tokensOf,
} from "../../web/console/cognito.js";

const POOL = { origin: "https://pool.example", clientId: "client-1" };
const HOME = "https://console.example/";

/** What looks like a JWT; nothing here verifies one. */
const jwt = (claims) => `e30.${base64url(new TextEncoder().encode(JSON.stringify(claims)))}.c2ln`;

/** A tab with a sign-in server that answers what a test says. */
function tab(...answers) {
  const kept = new Map();
  const asked = [];
  let minted = 0;
  const world = {
    time: 0,
    storage: {
      isLasting: true,
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    },
    now: () => world.time,
    mint: () => `minted-${(minted += 1)}`,
    fetch: async (url, { body }) => {
      asked.push({ url, ...Object.fromEntries(body) });
      const answer = answers.shift();
      if (answer === undefined) throw new TypeError("no network");
      return new Response(JSON.stringify(answer.body ?? {}), { status: answer.status ?? 200 });
    },
  };
  return { cognito: new Cognito(POOL, HOME, world), world, kept, asked, answers };
}

const GRANTED = {
  access_token: jwt({ username: "dana" }),
  id_token: jwt({ nonce: "minted-2", name: "Dana" }),
  refresh_token: "refresh-1",
  expires_in: 3600,
};

/** A tab that has signed in. */
async function signedIn(granted = GRANTED, ...answers) {
  const made = tab({ body: granted }, ...answers);
  await made.cognito.begin();
  await made.cognito.complete("?code=code-1&state=minted-1");
  return made;
}

test("the challenge is RFC 7636's, by its appendix B", async () => {
  assert.equal(
    await challengeOf("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  );
});

test("base64 for URLs is RFC 7636's, by its appendix A", () => {
  assert.equal(base64url(new Uint8Array([3, 236, 255, 224, 193])), "A-z_4ME");
});

test("the address to sign in asks for a code, with state, nonce and challenge, and has no verifier", async () => {
  const { cognito } = tab();
  const { origin, pathname, searchParams } = new URL(await cognito.begin());

  assert.equal(origin + pathname, "https://pool.example/oauth2/authorize");
  assert.deepEqual(Object.fromEntries(searchParams), {
    response_type: "code",
    client_id: "client-1",
    redirect_uri: HOME,
    scope: "openid profile",
    state: "minted-1",
    nonce: "minted-2",
    code_challenge: await challengeOf("minted-3"),
    code_challenge_method: "S256",
  });
});

test("addresses are encoded", () => {
  const asked = { state: "a&b", nonce: "n", challenge: "c" };

  assert.equal(new URL(authorizeUrl(POOL, HOME, asked)).searchParams.get("state"), "a&b");
  assert.equal(
    logoutUrl(POOL, HOME),
    "https://pool.example/logout?client_id=client-1&logout_uri=https%3A%2F%2Fconsole.example%2F",
  );
});

test("the code is exchanged with the verifier, once", async () => {
  const { cognito, asked, kept } = await signedIn();

  assert.deepEqual(asked, [
    {
      url: "https://pool.example/oauth2/token",
      client_id: "client-1",
      grant_type: "authorization_code",
      code: "code-1",
      redirect_uri: HOME,
      code_verifier: "minted-3",
    },
  ]);
  assert.equal(await cognito.token(), GRANTED.id_token);
  assert.deepEqual([...kept.keys()], ["robosignal.tokens"]);
});

test("a code that comes with another state does not sign in", async () => {
  const { cognito, asked } = tab();
  await cognito.begin();

  assert.equal(await cognito.complete("?code=theirs&state=theirs"), false);
  assert.deepEqual([asked, await cognito.token()], [[], ""]);
});

test("a code that was not asked for does not sign in", async () => {
  assert.equal(await tab().cognito.complete("?code=theirs&state=theirs"), false);
});

test("an ID token with another nonce is not believed", async () => {
  const made = tab({ body: { ...GRANTED, id_token: jwt({ nonce: "theirs", name: "Mallory" }) } });
  await made.cognito.begin();

  await assert.rejects(made.cognito.complete("?code=c&state=minted-1"), SignInError);
  assert.equal(made.cognito.isSignedIn, false);
});

test("a refusal is a sentence with the server's code, and nothing else of what came", async () => {
  const made = tab();
  await made.cognito.begin();
  const refused = made.cognito.complete(
    "?error=access_denied&error_description=%3Cb%3E&state=minted-1",
  );

  await assert.rejects(refused, {
    message: "The sign-in was refused (access_denied). Sign in again.",
  });
});

test("a reason that is no plain word is not repeated", async () => {
  const made = tab();
  await made.cognito.begin();

  await assert.rejects(made.cognito.complete("?error=call+555-0100&state=minted-1"), {
    message: "The sign-in was refused. Sign in again.",
  });
});

test("a refused code is a sentence", async () => {
  const made = tab({ status: 400, body: { error: "invalid_grant" } });
  await made.cognito.begin();

  await assert.rejects(made.cognito.complete("?code=c&state=minted-1"), {
    message: "The sign-in could not be completed (invalid_grant). Sign in again.",
  });
});

test("the access token is used if the ID token has no name", () => {
  const { token } = tokensOf({ ...GRANTED, id_token: jwt({ nonce: "n" }) }, 0, null);

  assert.equal(token, GRANTED.access_token);
});

test("a token is refreshed 5 minutes before its end, or when half of a short life is over", () => {
  const due = (expires_in) => tokensOf({ ...GRANTED, expires_in }, 0, null).refreshAt / 1000;

  assert.deepEqual([due(3600), due(300)], [3300, 150]);
});

test("an answer without a token, or without a life, is refused", () => {
  assert.throws(() => tokensOf({ expires_in: 60 }, 0, null), SignInError);
  assert.throws(() => tokensOf({ ...GRANTED, expires_in: "soon" }, 0, null), SignInError);
});

test("a token is kept until it is due, and then refreshed once for all who ask", async () => {
  const fresh = { ...GRANTED, id_token: jwt({ name: "Dana", n: 2 }), refresh_token: undefined };
  const { cognito, world, asked } = await signedIn(GRANTED, { body: fresh });
  world.time = 3_299_999;
  const before = await cognito.token();
  world.time = 3_300_000;
  const after = await Promise.all([cognito.token(), cognito.token()]);

  assert.equal(before, GRANTED.id_token);
  assert.deepEqual(after, [fresh.id_token, fresh.id_token]);
  assert.deepEqual(asked.slice(1), [
    {
      url: "https://pool.example/oauth2/token",
      client_id: "client-1",
      grant_type: "refresh_token",
      refresh_token: "refresh-1",
    },
  ]);
});

test("a rotated refresh token replaces the one before", async () => {
  const { cognito, world, asked } = await signedIn(
    GRANTED,
    { body: { ...GRANTED, refresh_token: "refresh-2" } },
    { body: GRANTED },
  );
  world.time = 3_300_000;
  await cognito.token();
  world.time = 6_600_000;
  await cognito.token();

  assert.equal(asked[2].refresh_token, "refresh-2");
});

test("a refused refresh means a new sign-in", async () => {
  const { cognito, world } = await signedIn(GRANTED, {
    status: 400,
    body: { error: "invalid_grant" },
  });
  world.time = 3_300_000;

  assert.deepEqual([await cognito.token(), cognito.isSignedIn], ["", false]);
});

test("a sign-in server that is away costs nothing: the server judges the token, whatever the clock says", async () => {
  const { cognito, world, answers, asked } = await signedIn();
  world.time = 3_500_000;
  const lasting = await cognito.token();
  world.time = 3_600_000;
  const after = await cognito.token();
  answers.push({ status: 503 });
  const last = await cognito.token();

  assert.deepEqual([lasting, after, last], Array(3).fill(GRANTED.id_token));
  assert.deepEqual([cognito.isSignedIn, asked.length], [true, 4]);
});

test("a token that the server has refused is refreshed, though the clock says that it lasts", async () => {
  const fresh = { ...GRANTED, id_token: jwt({ name: "Dana", n: 2 }) };
  const { cognito, asked } = await signedIn(GRANTED, { body: fresh });

  assert.equal(await cognito.token(GRANTED.id_token), fresh.id_token);
  assert.equal(await cognito.token(GRANTED.id_token), fresh.id_token);
  assert.equal(asked.length, 2);
});

test("a token without a refresh token is kept, whatever the clock says", async () => {
  const { cognito, world } = await signedIn({ ...GRANTED, refresh_token: undefined });
  world.time = 86_400_000;

  assert.deepEqual([await cognito.token(), cognito.isSignedIn], [GRANTED.id_token, true]);
});

test("signing out forgets at once, ends the refresh token, and goes to the pool's way out", async () => {
  const { cognito, asked, kept } = await signedIn(GRANTED, {});
  const going = cognito.signOut();
  const left = kept.size;

  assert.equal(await going, logoutUrl(POOL, HOME));
  assert.deepEqual(
    [left, asked[1]],
    [0, { url: "https://pool.example/oauth2/revoke", client_id: "client-1", token: "refresh-1" }],
  );
});

test("signing out works while the sign-in server is away", async () => {
  const { cognito } = await signedIn();

  assert.equal(await cognito.signOut(), logoutUrl(POOL, HOME));
});

test("a refresh that is under way when the tab signs out does not sign in again", async () => {
  const { cognito, world } = await signedIn(GRANTED, { body: GRANTED });
  world.time = 3_300_000;
  const refreshing = cognito.token();
  cognito.forget();

  assert.deepEqual([await refreshing, cognito.isSignedIn], ["", false]);
});

const POOLS = [
  [{}, null],
  [{ signInDomain: "pool.example" }, null],
  [{ userPoolClientId: "c" }, null],
  [
    { signInDomain: "pool.example", userPoolClientId: "c" },
    { origin: "https://pool.example", clientId: "c" },
  ],
  [
    { signInDomain: "http://127.0.0.1:9000", userPoolClientId: "c" },
    { origin: "http://127.0.0.1:9000", clientId: "c" },
  ],
];

for (const [config, pool] of POOLS) {
  test(`the pool of ${JSON.stringify(config)}`, () => {
    assert.deepEqual(poolOf(config), pool);
  });
}

for (const signInDomain of [
  "http://pool.example",
  "pool.example/path",
  "user@pool.example",
  "javascript:alert(1)",
  "",
]) {
  test(`a sign-in domain that is no host is refused: ${signInDomain}`, () => {
    assert.throws(() => poolOf({ signInDomain, userPoolClientId: "c" }), SignInError);
  });
}

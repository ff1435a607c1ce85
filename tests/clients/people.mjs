// Two people use the pages of sign-in and account in a real browser, with the authenticator
// that it pretends to have: one by password and passkey, one by a provider and an app.
import { createHmac } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const AUTHENTICATOR = {
  protocol: "ctap2",
  transport: "internal",
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
};

const given = JSON.parse(await text(process.stdin));
const profile = await mkdtemp(join(tmpdir(), "parley-browser-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: given.executable,
  headless: true,
  args: FLAGS,
  ignoreHTTPSErrors: true, // the stack's own authority
});
const steps = [];
const complaints = [];

function codeOf(seed) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...seed].map((one) => alphabet.indexOf(one).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", key).update(step).digest();
  const at = digest[19] & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

async function done(step) {
  steps.push(step);
}

async function home(page) {
  await page.waitForURL("**/account");
  await page.locator("#account").waitFor();
}

async function signOut(page) {
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in");
}

async function withPassword(page) {
  await page.getByLabel("Mail address").fill(given.email);
  await page.getByLabel("Password").fill(given.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

async function recoveryCodes(page) {
  await page.locator("#codes").waitFor();
  const codes = await page.locator("#code-list code").allTextContents();
  if (new Set(codes).size !== 10) throw new Error(`recovery codes: ${codes}`);
  await page.getByRole("link", { name: "I have kept them" }).click();
  return codes;
}

async function confirmAddress(page) {
  await page.goto(`${given.origin}/verify.html#token=${given.token}`);
  for (const [password, said] of [["some other words", "right password"], [given.password, "is confirmed"]]) {
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Confirm" }).click();
    await page.locator("#outcome", { hasText: said }).waitFor();
  }
  await done("an address is confirmed with the password of its registration");
}

async function byPasskey(page) {
  const devtools = await context.newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  await devtools.send("WebAuthn.addVirtualAuthenticator", { options: AUTHENTICATOR });
  await page.goto(`${given.origin}/sign-in`);
  await withPassword(page);
  await page.getByRole("button", { name: "Set up a passkey" }).click();
  const codes = await recoveryCodes(page);
  await home(page);
  await done("a passkey is enrolled where one is required");
  await signOut(page);
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await home(page);
  await done("the passkey alone signs in");
  await signOut(page);
  await withPassword(page);
  await page.getByRole("button", { name: "Use a passkey" }).click();
  await home(page);
  await done("the passkey is the second factor");
  await signOut(page);
  await withPassword(page);
  await page.getByLabel("One of your recovery codes").fill(codes[0]);
  await page.getByRole("button", { name: "Use the recovery code" }).click();
  await home(page);
  await done("a recovery code is the second factor");
  await stepUp(page);
  await takeAlong(page);
  await leaveAndComeBack(page);
  await signOut(page);
}

// The server would ask after five minutes: its answer of then is given once, now.
async function asProofIsOld(page, path) {
  const refusal = { code: "step_up_required", detail: "Prove it again." };
  const once = { times: 1 };
  await page.route(`**/api/v1${path}`, (route) => route.fulfill({ status: 403, json: refusal }), once);
}

async function stepUp(page) {
  await asProofIsOld(page, "/me/mfa/recovery-codes");
  await page.getByRole("button", { name: "Make new ones" }).click();
  await page.locator("#prove-passkey").click();
  await page.getByText("the old ones are void").waitFor();
  await page.reload(); // the cookie is that of the session's new id
  await home(page);
  await done("a passkey steps up, and what asked for it goes on");
}

// Of this house auth alone runs: the parts of the others are written here.
async function takeAlong(page) {
  const others = /\/me\/export\/(?!auth)/;
  const part = (count) => `{"kind":"export","data":{}}\n{"kind":"end","data":{"count":${count}}}\n`;
  await page.route(others, (route) => route.fulfill({ contentType: "application/x-ndjson", body: "{}\n" }));
  await page.getByRole("button", { name: "Download my data" }).click();
  await page.getByText("The download broke off.").waitFor();
  await page.unroute(others);
  await page.route(others, (route) => route.fulfill({ contentType: "application/x-ndjson", body: part(0) }));
  await asProofIsOld(page, "/me/export/auth");
  await page.getByRole("button", { name: "Download my data" }).click();
  const coming = page.waitForEvent("download");
  await page.locator("#prove-passkey").click();
  const lines = (await readFile(await (await coming).path(), "utf8")).trimEnd().split("\n");
  const records = lines.map((line) => JSON.parse(line));
  const ends = records.filter((one) => one.kind === "end").length;
  const [account] = records.filter((one) => one.kind === "account");
  if (ends !== 5 || account.data.email !== given.email) throw new Error(`export: ${lines}`);
  await done("a person takes along what is held on them, whole or not at all");
}

async function leaveAndComeBack(page) {
  await page.getByRole("button", { name: "Delete my account" }).click();
  await page.locator("#leave-warning", { hasText: "14 days to change your mind" }).waitFor();
  const [address, remove] = [page.getByLabel("Your mail address"), page.getByRole("button", { name: "Delete it" })];
  await address.fill("somebody@example.test");
  await remove.click();
  await page.locator("#outcome", { hasText: "address" }).waitFor();
  await asProofIsOld(page, "/me/deletion");
  await address.fill(given.email);
  await remove.click();
  await page.locator("#prove-passkey").click();
  await page.waitForURL("**/sign-in");
  await page.locator("#outcome", { hasText: "Sign in before that to keep it." }).waitFor();
  await done("an account is deleted after a warning, the address and a fresh proof");
  await withPassword(page);
  await page.getByRole("button", { name: "Use a passkey" }).click();
  await home(page);
  await page.locator("#outcome", { hasText: "your account stays" }).waitFor();
  await done("its owner comes back within the grace and keeps it");
}

async function atProvider(page) {
  await page.locator("input[name=login]").fill(given.name);
  await page.locator("input[name=password]").fill("x");
  await page.locator("button[type=submit]").click();
  await page.locator("input[name=prompt][value=consent]").waitFor({ state: "attached" });
  await page.locator("button[type=submit]").click();
}

async function byProvider(page) {
  await page.getByRole("link", { name: `Sign in with ${given.provider}` }).click();
  await atProvider(page);
  await page.waitForURL("**/sign-in");
  await page.getByRole("button", { name: "Set up an app" }).click();
  const seed = await page.locator("#app-key:not(:empty)").textContent();
  await page.getByLabel("The code that the app shows").fill(codeOf(seed));
  await page.getByRole("button", { name: "Confirm the app" }).click();
  await recoveryCodes(page);
  await home(page);
  if ((await page.locator("#name").textContent()) !== `The ${given.name}`) throw new Error("name");
  await done("a provider signs in, and an app is enrolled where one is required");
  await page.getByRole("button", { name: "Unlink" }).click();
  await page.locator("#outcome", { hasText: "only way" }).waitFor();
  await done("the last way in stays");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByText("The passkey is registered.").waitFor();
  await page.getByRole("button", { name: "Unlink" }).click();
  await page.getByText("The identity is unlinked.").waitFor();
  await done("with a passkey the identity may go");
}

try {
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text());
  });
  try {
    await confirmAddress(page);
    await byPasskey(page);
    await byProvider(page);
  } catch (error) {
    error.message += ` after ${steps.at(-1)}, at ${page.url()}: ${await page.locator("main, body").first().innerText()}`;
    throw error;
  }
  console.log(JSON.stringify({ steps, complaints }));
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true });
}

// The caller's own second factors and linked identities, and their way out. What asks for a fresh proof is tried
// again once the proof was given.
"use strict";

import { call, keep, onDemand, Refused, takeFragment, wordsFor } from "/api.js";
import { offerLeaving } from "/leaving.js";
import * as passkey from "/passkey.js";

const SIGN_IN = "/sign-in";

const byId = (id) => document.getElementById(id);
const outcome = byId("outcome");
const factors = { has_totp: false, passkeys: [] };
const identities = [];
let proofGiven = () => {};

function listed(text, label, act) {
  const item = document.createElement("li");
  item.append(`${text} `);
  if (act) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
    onDemand(button, "click", outcome, act);
    item.append(button);
  }
  return item;
}

// ---- proving it again

function askForProof() {
  const hasFactor = factors.has_totp || factors.passkeys.length > 0;
  byId("proof-passkey").hidden = factors.passkeys.length === 0 || !passkey.isSupported;
  byId("proof-form").hidden = hasFactor && !factors.has_totp;
  byId("proof-form").elements.proof.type = hasFactor ? "text" : "password";
  byId("proof-form").elements.proof.value = "";
  byId("proof-label").textContent = hasFactor ? "Code of your app" : "Your password";
  const anew = hasFactor ? [] : identities;
  byId("proof-providers").replaceChildren(
    ...anew.map((one) => leading(`Prove it with ${one.name}`, one.provider_id, "step_up")),
  );
  byId("proof").hidden = false;
  outcome.textContent = "";
  for (const control of byId("proof").querySelectorAll("button")) control.disabled = false;
  return new Promise((resolve) => {
    proofGiven = resolve;
  });
}

async function prove(proof) {
  keep(await call("POST", "/auth/step-up", proof));
  byId("proof").hidden = true;
  proofGiven();
}

async function provePasskey() {
  const { options } = await call("POST", "/auth/step-up/options");
  await prove({ passkey: await passkey.sign(options) });
}

async function proveText(event) {
  const text = event.target.elements.proof.value;
  await prove(factors.has_totp ? { totp_code: text } : { password: text });
}

async function fresh(act) {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== "step_up_required") throw error;
  }
  await askForProof();
  return act();
}

// ---- second factors

async function addPasskey() {
  const { options } = await fresh(() => call("POST", "/me/mfa/passkeys/options"));
  const credential = await passkey.create(options);
  const added = await call("POST", "/me/mfa/passkeys", { name: "Passkey", credential });
  await refreshPage();
  showCodes(added.recovery_codes);
  return "The passkey is registered.";
}

async function removePasskey(id) {
  await fresh(() => call("DELETE", `/me/mfa/passkeys/${id}`));
  await refreshPage();
  return "The passkey is removed.";
}

async function addApp() {
  const offer = await fresh(() => call("POST", "/me/mfa/totp"));
  byId("app-key").textContent = offer.setup_key;
  byId("app-link").href = offer.uri;
  byId("app-form").hidden = false;
  return "";
}

async function confirmApp(event) {
  const body = { code: event.target.elements.code.value };
  const confirmed = await fresh(() => call("POST", "/me/mfa/totp/confirm", body));
  byId("app-form").hidden = true;
  await refreshPage();
  showCodes(confirmed.recovery_codes);
  return "The app is in use.";
}

async function removeApp() {
  await fresh(() => call("DELETE", "/me/mfa/totp"));
  await refreshPage();
  return "The app is removed.";
}

async function renewCodes() {
  const renewed = await fresh(() => call("POST", "/me/mfa/recovery-codes"));
  await refreshPage();
  showCodes(renewed.recovery_codes);
  return "Keep these codes; the old ones are void.";
}

function showCodes(codes) {
  byId("code-list").replaceChildren(...codes.map((code) => listed(code)));
}

// ---- identities

async function link(code) {
  await fresh(() => call("POST", "/me/identities", { code }));
  await refreshPage();
  return "The identity is linked.";
}

async function unlink(id) {
  await fresh(() => call("DELETE", `/me/identities/${id}`));
  await refreshPage();
  return "The identity is unlinked.";
}

function leading(text, providerId, purpose) {
  const anchor = document.createElement("a");
  anchor.href = `/api/v1/auth/oidc/${providerId}/start?purpose=${purpose}&return_to=/account`;
  anchor.textContent = text;
  const item = document.createElement("li");
  item.append(anchor);
  return item;
}

// What the sign-in or a provider's redirect brought home: that the account stays, an error, an
// identity to link, or a proof.
async function take(brought) {
  if (brought.has("kept")) return "You signed in, so your account stays.";
  for (const name of ["oidc_link_error", "oidc_step_up_error"]) {
    if (brought.has(name)) return `The provider did not do it (${brought.get(name)}).`;
  }
  if (brought.has("oidc_step_up_code")) {
    keep(await call("POST", "/auth/step-up", { oidc_code: brought.get("oidc_step_up_code") }));
    return "You have proved it. Do now what you wanted to.";
  }
  return brought.has("oidc_link_code") ? link(brought.get("oidc_link_code")) : "";
}

// ---- the page

async function refreshPage() {
  const [me, own, mine, all] = await Promise.all([
    call("GET", "/me"),
    call("GET", "/me/mfa"),
    call("GET", "/me/identities"),
    call("GET", "/auth/oidc"),
  ]);
  Object.assign(factors, own);
  identities.splice(0, Infinity, ...mine.items);
  byId("name").textContent = me.display_name;
  byId("passkeys").replaceChildren(
    ...own.passkeys.map((key) => listed(key.name, "Remove", () => removePasskey(key.passkey_id))),
  );
  byId("app-state").textContent = own.has_totp ? "An app is in use." : "None is set up.";
  byId("add-app").hidden = own.has_totp;
  byId("remove-app").hidden = !own.has_totp;
  byId("codes-left").textContent = `${own.recovery_codes_left} are left.`;
  const linked = new Set(identities.map((one) => one.provider_id));
  byId("identities").replaceChildren(
    ...identities.map((one) => listed(one.name, "Unlink", () => unlink(one.provider_id))),
  );
  byId("providers").replaceChildren(
    ...all.providers
      .filter((one) => !linked.has(one.provider_id))
      .map((one) => leading(`Link ${one.name}`, one.provider_id, "link")),
  );
  byId("account").hidden = false;
}

async function signOut() {
  await call("POST", "/auth/logout");
  location.assign(SIGN_IN);
  return "You are signed out.";
}

async function begin() {
  const brought = takeFragment();
  try {
    keep(await call("POST", "/auth/refresh"));
  } catch (error) {
    if (error.code === "away" || error.code === "busy") throw error;
    location.assign(SIGN_IN);
    return "";
  }
  await refreshPage();
  return take(brought);
}

byId("add-passkey").hidden = !passkey.isSupported;
onDemand(byId("prove-passkey"), "click", outcome, provePasskey);
onDemand(byId("proof-form"), "submit", outcome, proveText);
onDemand(byId("add-passkey"), "click", outcome, addPasskey);
onDemand(byId("add-app"), "click", outcome, addApp);
onDemand(byId("app-form"), "submit", outcome, confirmApp);
onDemand(byId("remove-app"), "click", outcome, removeApp);
onDemand(byId("renew-codes"), "click", outcome, renewCodes);
onDemand(byId("sign-out"), "click", outcome, signOut);
offerLeaving(outcome, fresh);
begin().then(
  (said) => {
    outcome.textContent = said;
  },
  (error) => {
    outcome.textContent = wordsFor(error);
  },
);

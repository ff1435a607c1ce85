// Signs in: by password, passkey or provider; asks for the second factor, or sets one up
// where one is required and missing.
"use strict";

import { call, keep, onDemand, takeFragment, wordsFor } from "/api.js";
import * as passkey from "/passkey.js";

const DEVICE = { device_name: "Browser", use_cookie: true };
const SENT = "If there is such an account, a mail is on its way to it.";
const HOME = "/account";

const byId = (id) => document.getElementById(id);
const outcome = byId("outcome");
let pendingToken = "";
let home = HOME;

function show(name) {
  for (const section of document.querySelectorAll("section")) {
    section.hidden = section.id !== name;
  }
}

// Tokens, or what is missing: every way in ends here.
function entered(answer) {
  if (!answer.mfa_required) {
    keep(answer);
    location.assign(home);
    return "You are signed in.";
  }
  pendingToken = answer.pending_token;
  byId("factor-passkey").hidden = !answer.factors.includes("passkey") || !passkey.isSupported;
  byId("totp-form").hidden = !answer.factors.includes("totp");
  byId("recovery-form").hidden = !answer.factors.includes("recovery_code");
  byId("enrol-passkey").hidden = !passkey.isSupported;
  show(answer.is_enrolment_required ? "enrol" : "factor");
  return "";
}

function enrolled(answer) {
  keep(answer);
  const items = answer.recovery_codes.map((code) => {
    const item = document.createElement("li");
    item.append(Object.assign(document.createElement("code"), { textContent: code }));
    return item;
  });
  byId("code-list").replaceChildren(...items);
  show("codes");
  return "You are signed in.";
}

function fieldsOf(form) {
  return Object.fromEntries(new FormData(form));
}

async function withPassword(event) {
  return entered(await call("POST", "/auth/login", { ...fieldsOf(event.target), ...DEVICE }));
}

async function forgot() {
  const email = byId("password-form").elements.email;
  if (!email.reportValidity()) return "Type your mail address first.";
  await call("POST", "/auth/forgot", { email: email.value });
  return SENT;
}

async function withPasskeyAlone() {
  const { options } = await call("POST", "/auth/passkey/options");
  const credential = await passkey.sign(options);
  return entered(await call("POST", "/auth/passkey/login", { credential, ...DEVICE }));
}

async function finish(proof) {
  return entered(await call("POST", "/auth/mfa/verify", { pending_token: pendingToken, ...proof }));
}

async function withPasskey() {
  const pending = { pending_token: pendingToken };
  const { options } = await call("POST", "/auth/mfa/verify/options", pending);
  return finish({ passkey: await passkey.sign(options) });
}

async function enrolPasskey() {
  const pending = { pending_token: pendingToken };
  const { options } = await call("POST", "/auth/mfa/passkeys/options", pending);
  const credential = await passkey.create(options);
  const body = { ...pending, name: "Passkey", credential };
  return enrolled(await call("POST", "/auth/mfa/passkeys", body));
}

async function offerApp() {
  const offer = await call("POST", "/auth/mfa/totp", { pending_token: pendingToken });
  byId("app-key").textContent = offer.setup_key;
  byId("app-link").href = offer.uri;
  byId("app-form").hidden = false;
  return "";
}

async function confirmApp(event) {
  const body = { pending_token: pendingToken, ...fieldsOf(event.target) };
  return enrolled(await call("POST", "/auth/mfa/totp/confirm", body));
}

async function listProviders() {
  const { providers } = await call("GET", "/auth/oidc");
  const items = providers.map((one) => {
    const link = document.createElement("a");
    link.href = `/api/v1/auth/oidc/${one.provider_id}/start?return_to=${location.pathname}`;
    link.textContent = `Sign in with ${one.name}`;
    const item = document.createElement("li");
    item.append(link);
    return item;
  });
  byId("providers").replaceChildren(...items);
}

// Who has just asked for the deletion of their account is told the way back, which is here.
function tellDeletion(dueAt) {
  if (Number.isNaN(dueAt.getTime())) return;
  if (dueAt <= new Date()) {
    outcome.textContent = "Your account is deleted.";
    return;
  }
  const day = dueAt.toLocaleString();
  outcome.textContent = `Your account will be deleted on ${day}. Sign in before that to keep it.`;
  home = `${HOME}#kept`;
}

async function begin() {
  const brought = takeFragment();
  if (brought.has("deletion_due_at")) tellDeletion(new Date(brought.get("deletion_due_at")));
  if (brought.has("oidc_error")) {
    outcome.textContent = `The provider did not sign you in (${brought.get("oidc_error")}).`;
  }
  if (brought.has("oidc_code")) {
    const body = { code: brought.get("oidc_code"), ...DEVICE };
    outcome.textContent = entered(await call("POST", "/auth/oidc/exchange", body));
  }
  await listProviders();
}

byId("passkey-alone").hidden = !passkey.isSupported;
onDemand(byId("password-form"), "submit", outcome, withPassword);
onDemand(byId("forgot"), "click", outcome, forgot);
onDemand(byId("passkey-alone"), "click", outcome, withPasskeyAlone);
onDemand(byId("use-passkey"), "click", outcome, withPasskey);
onDemand(byId("totp-form"), "submit", outcome, (event) => finish(fieldsOf(event.target)));
onDemand(byId("recovery-form"), "submit", outcome, (event) => finish(fieldsOf(event.target)));
onDemand(byId("enrol-passkey"), "click", outcome, enrolPasskey);
onDemand(byId("enrol-app"), "click", outcome, offerApp);
onDemand(byId("app-form"), "submit", outcome, confirmApp);
begin().catch((error) => {
  outcome.textContent = wordsFor(error);
});

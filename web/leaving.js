// What is held on the caller, to take along, and the deletion of their account.
"use strict";

import { call, download, onDemand } from "/api.js";

const PARTS = ["auth", "chat", "media", "notification", "project"];
const HELD = "Your account, your messages, your settings and your devices are erased; files that you put " +
  "into conversations and projects stay there. You are signed out everywhere at once.";

const byId = (id) => document.getElementById(id);

function save(file, name) {
  const url = URL.createObjectURL(file);
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function takeAlong(fresh) {
  const files = [];
  for (const part of PARTS) files.push(await fresh(() => download(`/me/export/${part}`)));
  save(new Blob(files), "parley.jsonl");
  return "Your data is in the downloaded file, a part of each service after the other.";
}

function warningOf(graceDays) {
  if (!graceDays) return `${HELD} This happens now, and nothing brings any of it back.`;
  const days = graceDays === 1 ? "1 day" : `${graceDays} days`;
  return `${HELD} You have ${days} to change your mind: sign in within them, and the account ` +
    "stays. After that nothing brings any of it back.";
}

async function warn() {
  const { grace_days: graceDays } = await call("GET", "/me/deletion");
  byId("leave-warning").textContent = warningOf(graceDays);
  byId("leave-form").elements.email.value = "";
  byId("leave-form").hidden = false;
  return "";
}

async function leave(fresh, event) {
  const body = { email: event.target.elements.email.value };
  const { deletion_due_at: dueAt } = await fresh(() => call("POST", "/me/deletion", body));
  location.assign(`/sign-in#deletion_due_at=${encodeURIComponent(dueAt)}`);
  return "";
}

// Gives the buttons of the page their work; `fresh` asks for a proof where one is needed.
export function offerLeaving(outcome, fresh) {
  onDemand(byId("export"), "click", outcome, () => takeAlong(fresh));
  onDemand(byId("leave"), "click", outcome, warn);
  onDemand(byId("leave-form"), "submit", outcome, (event) => leave(fresh, event));
  onDemand(byId("stay"), "click", outcome, async () => {
    byId("leave-form").hidden = true;
  });
}

// The pages behind the links of Parley's mails. The token comes in the fragment, which
// browsers send to no server and which is taken out of the address bar at once. What a
// page does stands in its form: data-route, and the fields that go along.
"use strict";

const form = document.getElementById("form");
const outcome = document.getElementById("outcome");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

const GONE = "This link does not work any more. Ask for a new mail and try again.";
const BUSY = "The server is busy. Wait a minute and try again.";
const AWAY = "The server could not be reached. Try again shortly.";
const SHORT = "This password is too short: take at least 15 characters.";

function refusal(status, problem) {
  if (status === 422) return SHORT;
  if (problem.code === "password_invalid") return problem.detail;
  if (problem.code === "display_name_invalid") return problem.detail;
  if (problem.code === "password_wrong") return problem.detail;
  return status < 500 && status !== 429 ? GONE : BUSY;
}

async function send() {
  const fields = Object.fromEntries(new FormData(form));
  return fetch(`/api/v1/auth/${form.dataset.route}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token, ...fields }),
    credentials: "omit",
    cache: "no-store",
  });
}

async function submit(event) {
  event.preventDefault();
  form.hidden = true;
  outcome.textContent = "One moment …";
  try {
    const response = await send();
    if (response.ok) {
      outcome.textContent = form.dataset.done;
      return;
    }
    const problem = await response.json().catch(() => ({}));
    outcome.textContent = refusal(response.status, problem);
    form.hidden = outcome.textContent === GONE;
  } catch {
    outcome.textContent = AWAY;
    form.hidden = false;
  }
}

if (token) {
  // A click, not the visit: scanners of mail programs open links too.
  outcome.textContent = form.dataset.ask;
  form.hidden = false;
  form.addEventListener("submit", submit);
} else {
  outcome.textContent = "This page is opened by the link in your mail.";
}

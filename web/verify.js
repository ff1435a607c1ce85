// Confirms a mail address. The token comes in the fragment, which browsers send to no
// server and which is taken out of the address bar at once.
"use strict";

const outcome = document.getElementById("outcome");
const button = document.getElementById("confirm");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

const GONE = "This link does not work any more. Ask for a new mail and try again.";
const BUSY = "The server is busy. Wait a minute and try again.";

async function confirmAddress() {
  button.hidden = true;
  outcome.textContent = "One moment …";
  try {
    const response = await fetch("/api/v1/auth/verify", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
      credentials: "omit",
      cache: "no-store",
    });
    if (response.ok) {
      outcome.textContent = "Your address is confirmed. You can sign in now.";
      return;
    }
    const isGone = response.status < 500 && response.status !== 429;
    outcome.textContent = isGone ? GONE : BUSY;
    button.hidden = isGone;
  } catch {
    outcome.textContent = "The server could not be reached. Try again shortly.";
    button.hidden = false;
  }
}

if (token) {
  // A click, not the visit: scanners of mail programs open links too.
  outcome.textContent = "Press the button to confirm your address.";
  button.hidden = false;
  button.addEventListener("click", confirmAddress);
} else {
  outcome.textContent = "This page is opened by the link in your mail.";
}

// Calls of the API for the pages of sign-in and account. The access token lives in the page
// alone, the refresh token in a cookie that no script reads.
"use strict";

const AWAY = { code: "away", detail: "The server could not be reached. Try again shortly." };
const BUSY = { code: "busy", detail: "The server is busy. Wait a minute and try again." };

let accessToken = "";

export class Refused extends Error {
  constructor(problem) {
    super(problem.detail ?? BUSY.detail);
    this.code = problem.code ?? BUSY.code;
  }
}

export function keep(tokens) {
  accessToken = tokens.access_token;
}

export async function call(method, path, body) {
  const headers = { "X-Parley-Client": "web" };
  if (body) headers["Content-Type"] = "application/json";
  if (accessToken) headers.Authorization = `Bearer ${accessToken}`;
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers,
    body: body && JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
  }).catch(() => {
    throw new Refused(AWAY);
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(answer);
  return answer;
}

// What a provider's redirect brings home stands in the fragment; it is taken out at once.
export function takeFragment() {
  const found = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  return found;
}

// Runs what a button or a form asks for, one thing at a time, and says how it ended.
export function onDemand(element, kind, outcome, act) {
  element.addEventListener(kind, async (event) => {
    event.preventDefault();
    const controls = [...document.querySelectorAll("button")];
    controls.forEach((control) => { control.disabled = true; });
    outcome.textContent = "One moment …";
    try {
      outcome.textContent = (await act(event)) ?? "";
    } catch (error) {
      outcome.textContent = wordsFor(error);
    } finally {
      controls.forEach((control) => { control.disabled = false; });
    }
  });
}

export function wordsFor(error) {
  if (error instanceof Refused) return error.message;
  // The browser's own: nobody touched the key, or it is registered already.
  if (error instanceof DOMException) return "Your browser or key did not do it. Try again.";
  throw error;
}

// Calls of the API for the pages of sign-in and account. The access token lives in the page
// alone, the refresh token in a cookie that no script reads.
"use strict";

const AWAY = { code: "away", detail: "The server could not be reached. Try again shortly." };
const BROKEN = { code: "broken_off", detail: "The download broke off. Try it again." };
const BUSY = { code: "busy", detail: "The server is busy. Wait a minute and try again." };

const LAST_LINE = /\{"kind":"end",[^\n]*\}\n$/;

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

async function send(method, path, body) {
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
  if (!response.ok) throw new Refused(await response.json().catch(() => ({})));
  return response;
}

export async function call(method, path, body) {
  const response = await send(method, path, body);
  return response.json().catch(() => ({}));
}

// A file of JSON lines; without its last one it is not whole, and nobody is to take it for that.
export async function download(path) {
  const response = await send("GET", path);
  const file = await response.blob().catch(() => new Blob());
  if (!LAST_LINE.test(await file.slice(-128).text())) throw new Refused(BROKEN);
  return file;
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

// The two ceremonies of WebAuthn, with options and answers as JSON.
"use strict";

export const isSupported = Boolean(window.PublicKeyCredential?.parseCreationOptionsFromJSON);

export async function create(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return (await navigator.credentials.create({ publicKey })).toJSON();
}

export async function sign(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({ publicKey })).toJSON();
}

// The story that every stock client passes, in Node and in a browser page alike: the
// official socket.io-client as `io`, the platform's own fetch, nothing of ours.
// Each step throws where the server does not do what docs/realtime.md says.

globalThis.tellStory = async function tellStory(io, given) {
  const steps = [];
  const done = (step) => steps.push(step);
  const opened = [];

  function fail(what, got) {
    throw new Error(`${what}: ${JSON.stringify(got)} after ${steps.at(-1) ?? "nothing"}`);
  }

  function within(seconds, what, executor) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${what} in ${seconds} s`)), seconds * 1000);
      executor((value) => (clearTimeout(timer), resolve(value)));
    });
  }

  function open(person, options = {}) {
    const socket = io(given.edge_url, {
      transports: ["websocket"],
      auth: (give) => give({ token: person.token }), // asked again at each connection
      forceNew: true,
      reconnectionDelay: 500,
      randomizationFactor: 0,
      ...options,
    });
    opened.push(socket);
    return socket;
  }

  const once = (socket, event, seconds = 10) =>
    within(seconds, event, (resolve) => socket.once(event, resolve));

  const matching = (socket, event, matches) =>
    within(10, event, (resolve) => {
      socket.on(event, function hear(payload) {
        if (matches(payload)) {
          socket.off(event, hear);
          resolve(payload);
        }
      });
    });

  const ask = (socket, event, payload) => socket.timeout(10_000).emitWithAck(event, payload);

  async function call(person, method, path, body) {
    const answer = await fetch(`${given.edge_url}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${person.token}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) fail(`${method} ${path}`, [answer.status, await answer.text()]);
    return answer.status === 204 ? {} : answer.json();
  }

  async function subscribe(socket) {
    const answer = await ask(socket, "conversation.subscribe", { conversation_ids: [given.group_id] });
    if (answer.errors.length !== 0 || answer.conversations.length !== 1) fail("subscribe", answer);
    return answer.conversations[0].revision;
  }

  const draft = (text) => ({
    conversation_id: given.group_id,
    client_message_id: crypto.randomUUID(),
    text,
  });

  async function say(socket, text) {
    const answer = await ask(socket, "message.send", draft(text));
    if (!answer.message) fail("message.send", answer);
    return answer;
  }

  async function refusals() {
    const polling = open(given.ada, { transports: ["polling"], reconnection: false });
    await once(polling, "connect_error");
    done("polling is refused");
    const wrong = open({ token: "none" }, { reconnection: false });
    const error = await once(wrong, "connect_error");
    if (error.data?.code !== "token_invalid") fail("connect_error", error.data);
    done("a wrong token is refused with its code");
  }

  async function talk(ada, grace) {
    const hearing = once(grace, "message.sent");
    const payload = draft("Is the engine warm?");
    const sent = await ask(ada, "message.send", payload);
    const heard = await hearing;
    if (JSON.stringify(heard) !== JSON.stringify(sent)) fail("message.sent", [sent, heard]);
    done("a message is acknowledged and delivered, the same in both");
    const again = await ask(ada, "message.send", payload);
    if (again.message.message_id !== sent.message.message_id) fail("resend", again);
    done("a resend answers with the first result");
    const unknown = { ...draft("to nobody"), conversation_id: crypto.randomUUID() };
    const refused = await ask(ada, "message.send", unknown);
    if (refused.error?.code !== "conversation_not_found") fail("error ack", refused);
    done("a refused event is acknowledged with its code");
    return sent.message;
  }

  async function changeAndRead(ada, grace, message) {
    const editing = matching(grace, "message.edited", (event) => event.message.message_id === message.message_id);
    const path = `conversations/${given.group_id}/messages/${message.message_id}`;
    await call(given.ada, "PATCH", path, { text: "Is the engine warm now?" });
    const edited = await editing;
    if (edited.message.text !== "Is the engine warm now?") fail("message.edited", edited);
    done("an edit over HTTP arrives live");
    const typing = once(grace, "typing.started");
    await ask(ada, "typing.start", { conversation_id: given.group_id });
    if ((await typing).user_id !== given.ada.user_id) fail("typing.started", await typing);
    done("typing is told");
    const reading = matching(ada, "receipt.read", (event) => event.user_id === given.grace.user_id);
    await ask(grace, "receipt.read", { conversation_id: given.group_id, seq: message.seq });
    if ((await reading).read_seq !== message.seq) fail("receipt.read", await reading);
    done("a read marker is told");
  }

  async function renew(ada) {
    given.ada.token = given.ada.renewed_token;
    const answer = await ask(ada, "token.renew", { token: given.ada.token });
    if (!(answer.expires_at > Date.now() / 1000)) fail("token.renew", answer);
    done("a token is renewed on the open socket");
  }

  async function catchUp(ada, grace, revision) {
    const back = once(grace, "connect");
    grace.io.engine.close(); // as a lost network; the client comes back by itself
    await once(grace, "disconnect").catch(() => {});
    const missed = [await say(ada, "You are gone,"), await say(ada, "the engine goes on.")];
    await back;
    await subscribe(grace);
    const found = await call(given.grace, "GET", `conversations/${given.group_id}/changes?since=${revision}`);
    const texts = new Set(found.messages.map((message) => message.text));
    if (!missed.every((event) => texts.has(event.message.text))) fail("changes", found);
    done("after a lost connection the client comes back and catches up");
    const hearing = once(grace, "message.sent");
    const live = await say(ada, "Welcome back.");
    if ((await hearing).revision !== live.revision) fail("live again", live);
    done("then it is live again");
  }

  async function resync(grace) {
    const told = once(grace, "resync", 20);
    const gone = once(grace, "disconnect", 20);
    const flood = setInterval(() => grace.emit("presence.set", { status: "online" }), 10);
    const why = await told.finally(() => clearInterval(flood));
    if (why.reason !== "rate_limited" || !(why.reconnect_after_seconds > 0)) fail("resync", why);
    if ((await gone) !== "io server disconnect") fail("disconnect", await gone);
    done("a flood ends in resync and a close");
    const back = once(grace, "connect");
    grace.connect(); // the client waits for that after a close by the server
    await back;
    await subscribe(grace);
    done("and the client may come back");
  }

  async function signOut(sockets) {
    const told = sockets.map((socket) => once(socket, "session.revoked"));
    const gone = sockets.map((socket) => once(socket, "disconnect"));
    await call(given.grace, "POST", "auth/logout");
    const started = Date.now();
    const why = await Promise.all(told);
    await Promise.all(gone);
    if (why.some((event) => event.reason !== "revoked")) fail("session.revoked", why);
    done("a sign-out ends every socket of the session");
    return Date.now() - started;
  }

  try {
    await refusals();
    const ada = open(given.ada);
    const grace = open(given.grace);
    const phone = open(given.grace);
    await Promise.all([ada, grace, phone].map((socket) => once(socket, "connect")));
    await Promise.all([ada, grace, phone].map(subscribe));
    done("two people connect, one with two devices, and subscribe");
    const onPhone = once(phone, "message.sent");
    const message = await talk(ada, grace);
    if ((await onPhone).message.message_id !== message.message_id) fail("phone", await onPhone);
    done("the second device hears it too");
    await changeAndRead(ada, grace, message);
    await renew(ada);
    await catchUp(ada, grace, message.revision);
    await resync(phone);
    const revoked_ms = await signOut([grace, phone]);
    return { steps, revoked_ms };
  } finally {
    opened.forEach((socket) => socket.disconnect());
  }
};

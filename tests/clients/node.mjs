// Tells the story with the official client in Node: JSON in on stdin, JSON out.
import { text } from "node:stream/consumers";
import { io } from "socket.io-client";
import "./story.js";

const given = JSON.parse(await text(process.stdin));
console.log(JSON.stringify(await globalThis.tellStory(io, given)));
process.exit(0); // the client's timers would hold the process

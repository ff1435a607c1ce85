// The peer of chat-fanout: Socket.IO on Node, one room, the in-memory adapter.
// Prints its port; answers as Parley's server of the benchmark does.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });
io.use((socket, next) => next(socket.handshake.auth.token ? undefined : new Error("token_missing")));
io.on("connection", (socket) => {
  socket.join("conversation");
  socket.on("message.send", (message, ack) => {
    io.to("conversation").emit("message.sent", message);
    ack({});
  });
});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
process.stdin.on("end", () => process.exit(0)).resume(); // ends with the benchmark

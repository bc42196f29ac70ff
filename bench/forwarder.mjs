// The peer of bench/relay.py: a bare forwarder on Node's ws. Rooms are paths; nothing is checked, kept or bounded.
import { WebSocketServer } from "ws";

const rooms = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("listening", () => console.log(`ws://127.0.0.1:${server.address().port}`));
server.on("connection", (socket, request) => {
  const room = rooms.get(request.url) ?? new Set();
  rooms.set(request.url, room.add(socket));
  socket.on("message", (data) => {
    for (const other of room) if (other !== socket) other.send(data, { binary: true });
  });
  socket.on("close", () => room.delete(socket));
});

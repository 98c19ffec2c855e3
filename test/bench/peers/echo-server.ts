// Takes every upgrade (of RFC 6455's sample key) and sends back what comes: echo-server.ts PORT
import { createServer } from 'node:net';

const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';

createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.once('data', () => {
    socket.write(SWITCH);
    socket.on('data', (chunk) => socket.write(chunk));
  });
}).listen(Number(process.argv[2]), '127.0.0.1');

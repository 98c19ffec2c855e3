import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** What cannot be read as a request: the status, and why. */
const REASONS: Record<string, [string, string]> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The request line and headers are too long.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request did not come in time.'],
};
const MALFORMED = ['400 Bad Request', 'This is no HTTP request.'] as const;

/** Answers what is no request in the API's error shape, and hangs up. */
export function answerBrokenRequests(server: Server): void {
  const answering = new WeakSet<Duplex>();
  server.on('request', ({ socket }, response) => {
    answering.add(socket);
    response.once('close', () => answering.delete(socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // In the midst of an answer there is nothing that could be said.
    if (error.code === 'ECONNRESET' || !socket.writable || answering.has(socket)) return socket.destroy();
    const [status, message] = REASONS[error.code ?? ''] ?? MALFORMED;
    const body = `${JSON.stringify({ message })}\n`;
    const headers = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close`;
    socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`);
  });
}

/** `node:http` without what an import statement would load with it: WebSocket, fetch and TLS, 7 MB a process. */
export const { createServer, request } = process.getBuiltinModule('node:http');

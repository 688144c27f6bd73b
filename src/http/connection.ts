import type { Socket } from 'node:net'

const ambiguous = new WeakSet<Socket>()

/**
 * Marks a connection whose bytes can be read in more than one way from here on. Requests that the parser still finds on it are not
 * served: a proxy in front of us may have taken them for a part of another one (RFC 9112 §11.2).
 */
export function markAmbiguous(socket: Socket): void {
  ambiguous.add(socket)
}

/** Whether a connection was marked so. */
export function isAmbiguous(socket: Socket): boolean {
  return ambiguous.has(socket)
}

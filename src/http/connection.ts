import type { Socket } from 'node:net'

const condemned = new WeakSet<Socket>()

/**
 * Marks a connection whose bytes can be read in more than one way from here on. Requests that the parser still finds on it are not
 * served: a proxy in front of us may have taken them for a part of another one (RFC 9112 §11.2).
 */
export function condemn(socket: Socket): void {
  condemned.add(socket)
}

/** Whether nothing on the connection is to be believed any more. */
export function isCondemned(socket: Socket): boolean {
  return condemned.has(socket)
}

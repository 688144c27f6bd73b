import { type buildConnector, Pool } from 'undici'
import type { Clock } from '../core/clock.ts'

/** Of a response's header section. */
const MAX_RESPONSE_HEADER_BYTES = 64 * 1024
/** Less than the five seconds after which common servers close an idle connection, so that no request meets a closing one. */
const KEEP_ALIVE_MS = 4000

/**
 * The connections to one MCP server, over TCP or its Unix socket.
 *
 * @param origin - scheme, host and port of its URL
 * @param connect - how to connect
 */
export function createPool(origin: string, connect: buildConnector.connector): Pool {
  return new Pool(origin, {
    pipelining: 1,
    allowH2: false,
    // The response handler watches the time. Streams may be silent for any.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect,
  })
}

/**
 * Waits for running requests, and aborts those that take too long.
 *
 * @param deadlineMs - when they are aborted
 */
export async function closePool(pool: Pool, deadlineMs: number, clock: Clock): Promise<void> {
  const cancel = clock.after(deadlineMs, () => void pool.destroy())
  await pool.close()
  cancel()
}

import { type buildConnector, Client, type Dispatcher, errors } from 'undici'
import type { Clock } from '../core/clock.ts'

/** Of a response's header section. */
const MAX_RESPONSE_HEADER_BYTES = 64 * 1024
/** Less than the five seconds after which common servers close an idle connection, so that no request meets a closing one. */
const KEEP_ALIVE_MS = 4000

export interface ConnectionPool {
  /** Sends a request on a connection that has none, the last one that was used if there are several. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void
  /** Takes no more requests, and waits for running ones. */
  close(): Promise<void>
  /** Aborts running requests. */
  destroy(): void
}

/** One connection at a time, and one request at a time on it. */
class Connection extends Client {
  isFree = false
}

/**
 * The connections to one MCP server, over TCP or its Unix socket. undici's own pool keeps an object for each connection that it ever had at
 * the same time, and looks at all of them for each request: thousands, where as many event streams are or were open.
 *
 * @param origin - scheme, host and port of its URL
 * @param connect - how to connect
 */
export function createPool(origin: string, connect: buildConnector.connector): ConnectionPool {
  const url = new URL(origin)
  const all = new Set<Connection>()
  const free: Connection[] = []
  const release = (connection: Connection): void => {
    if (connection.closed || connection.isFree || connection.stats.size > 0) return
    connection.isFree = true
    free.push(connection)
  }
  /** It finishes a request that it was given before it could know that its connection had ended. */
  const retire = (connection: Connection): void => {
    if (connection.isFree) free.splice(free.indexOf(connection), 1)
    connection.isFree = false
    connection.close(() => void all.delete(connection))
  }
  const open = (): Connection => {
    const connection = createConnection(url, connect)
    const onEnd = (): void => retire(connection)
    connection.on('drain', () => release(connection))
    connection.on('disconnect', onEnd).on('connectionError', onEnd)
    all.add(connection)
    return connection
  }
  let isClosed = false
  return {
    dispatch(options, handler) {
      if (isClosed) return refuse(handler)
      const connection = free.pop() ?? open()
      connection.isFree = false
      connection.dispatch(options, handler)
      // Of a request that it refuses undici doesn't tell the end, of one that was aborted meanwhile it does in the next microtask.
      if (connection.stats.size === 0) queueMicrotask(() => release(connection))
    },
    async close() {
      isClosed = true
      await Promise.all(Array.from(all, closeConnection))
    },
    destroy() {
      for (const connection of all) void connection.destroy()
    },
  }
}

/** Resolves also for one that has been destroyed, and waits for its socket no more: the promise of undici's `close` would reject. */
function closeConnection(connection: Connection): Promise<void> {
  return new Promise((resolve) => connection.close(() => resolve()))
}

function createConnection(url: URL, connect: buildConnector.connector): Connection {
  return new Connection(url, {
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

/** As undici does, which has no controller for such a request either. */
function refuse(handler: Dispatcher.DispatchHandler): void {
  handler.onResponseError?.(null as unknown as Dispatcher.DispatchController, new errors.ClientClosedError())
}

/**
 * Waits for running requests, and aborts those that take too long.
 *
 * @param deadlineMs - when they are aborted
 */
export async function closePool(pool: ConnectionPool, deadlineMs: number, clock: Clock): Promise<void> {
  const cancel = clock.after(deadlineMs, () => pool.destroy())
  await pool.close()
  cancel()
}

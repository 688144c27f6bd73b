import type { Socket } from 'node:net'
import { getCACertificates } from 'node:tls'
import { buildConnector, Pool } from 'undici'
import type { Clock } from '../core/clock.ts'
import type { HttpUpstreamPlan } from '../core/plan/upstream-plan.ts'

/** Of a response's header section. */
const MAX_RESPONSE_HEADER_BYTES = 64 * 1024
/** Less than the five seconds after which common servers close an idle connection, so that no request meets a closing one. */
const KEEP_ALIVE_MS = 4000
/** Time until a full queue is tried again. */
const REDIAL_MS = 20

/**
 * The connections to one MCP server, over TCP or its Unix socket.
 *
 * @param origin - scheme, host and port of its URL
 * @param plan - how to connect
 */
export function createPool(origin: string, plan: HttpUpstreamPlan, clock: Clock): Pool {
  return new Pool(origin, {
    pipelining: 1,
    allowH2: false,
    headersTimeout: plan.responseSeconds * 1000,
    // Streams may be silent for any time. Other bodies are watched by the response handler.
    bodyTimeout: 0,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: createConnector(plan, clock),
  })
}

function createConnector(plan: HttpUpstreamPlan, clock: Clock): buildConnector.connector {
  const timeout = plan.connectSeconds * 1000
  const connectOnce = buildConnector({
    timeout,
    allowH2: false,
    // Explicit, since NODE_TLS_REJECT_UNAUTHORIZED=0 would otherwise disable it.
    rejectUnauthorized: true,
    ...(plan.ca === undefined ? {} : { ca: [...getCACertificates('default'), plan.ca] }),
    ...(plan.socket === undefined ? {} : { socketPath: plan.socket }),
  })
  const connect = plan.socket === undefined ? connectOnce : waitForQueue(connectOnce, timeout, clock)
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (error) return callback(error, null)
      socket?.on('error', renameReset)
      callback(null, socket as Socket)
    })
}

/**
 * Linux refuses a connection to a Unix socket at once while its queue is full (unix(7), EAGAIN). With TCP the system tries again, so that a
 * burst of calls only waits. This does the same.
 */
function waitForQueue(connect: buildConnector.connector, timeoutMs: number, clock: Clock): buildConnector.connector {
  return (options, callback) => {
    const end = clock.monotonic() + timeoutMs
    const dial = (): void =>
      connect(options, (...[error, socket]) => {
        if (error === null) callback(null, socket)
        else if ('code' in error && error.code === 'EAGAIN' && clock.monotonic() < end) clock.after(REDIAL_MS, dial)
        else callback(error, null)
      })
    dial()
  }
}

/** undici treats ECONNRESET as the regular end of a body that ends with the connection. Under another name it is an error. */
function renameReset(error: NodeJS.ErrnoException): void {
  if (error.code === 'ECONNRESET') error.code = 'UPSTREAM_RESET'
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

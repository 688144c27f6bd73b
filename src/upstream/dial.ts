import type { Socket } from 'node:net'
import { type buildConnector, errors } from 'undici'
import type { Clock } from '../core/clock.ts'
import type { HttpUpstreamPlan } from '../core/plan/upstream-plan.ts'
import { createEgressConnector, type EgressConnector } from '../egress/connector.ts'
import type { Circuit } from './circuit.ts'

type Connector = buildConnector.connector

/** Time until a full queue is tried again. */
const FULL_QUEUE_MS = 20
/** Time until a server that refused is tried again: most of those that are restarted listen again by then, or much later. */
const REDIAL_MS = 100
/** No process listens, for the moment. Other failures last longer, or took all the time there is. */
const MOMENTARY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EAI_AGAIN',
  'EGRESS_PROXY_UNREACHABLE',
  'EGRESS_DESTINATION_UNREACHABLE',
])

/** Errors of connections that were open. */
const lostConnections = new WeakSet<Error>()

/** Whether a connection had been opened before this happened to it. */
export function isLostConnection(error: Error): boolean {
  return lostConnections.has(error)
}

/**
 * Opens connections to one MCP server, over TCP (through an egress proxy, where that is the way) or its Unix socket. One that is refused is tried a second time: nothing has been sent yet.
 *
 * @param plan - how to connect
 * @param circuit - learns which connections could not be opened
 */
export function createConnector(plan: HttpUpstreamPlan, circuit: Circuit, clock: Clock): Connector {
  const limitMs = plan.connectSeconds * 1000
  const once = limitTime(createPlainConnector(plan), limitMs, clock)
  const patient = plan.socket === undefined ? once : waitForQueue(once, limitMs, clock)
  const connect = redial(patient, circuit, clock)
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (error) {
        circuit.failed(error)
        return callback(error, null)
      }
      socket?.on('error', noteLoss)
      callback(null, socket as Socket)
    })
}

/** It watches no time: that of undici is up to a second late. */
function createPlainConnector({ ca, socket, egress }: HttpUpstreamPlan): EgressConnector {
  return createEgressConnector({ egress, ca, socket, timeoutMs: 0 })
}

/** Ends attempts that take too long, of TLS included. */
function limitTime(connect: EgressConnector, limitMs: number, clock: Clock): Connector {
  return (options, callback) => {
    let isOver = false
    const opening = connect(options, (...result) => {
      isOver = true
      cancel()
      callback(...result)
    })
    const end = (): void => opening.destroy(new errors.ConnectTimeoutError(`no connection within ${limitMs / 1000} s`))
    // After a pause of the process, what has happened meanwhile counts first.
    const cancel = clock.after(limitMs, () => setImmediate(() => isOver || end()))
  }
}

/**
 * Linux refuses a connection to a Unix socket at once while its queue is full (unix(7), EAGAIN). With TCP the system tries again, so that a
 * burst of calls only waits. This does the same.
 */
function waitForQueue(connect: Connector, limitMs: number, clock: Clock): Connector {
  return (options, callback) => {
    const end = clock.monotonic() + limitMs
    const dial = (): void =>
      connect(options, (...[error, socket]) => {
        if (error === null) callback(null, socket)
        else if ('code' in error && error.code === 'EAGAIN' && clock.monotonic() < end) clock.after(FULL_QUEUE_MS, dial)
        else callback(error, null)
      })
    dial()
  }
}

/** Not while the circuit is open: a probe asks once. */
function redial(connect: Connector, circuit: Circuit, clock: Clock): Connector {
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error === null) callback(null, socket)
      else if (isMomentary(error) && circuit.isClosed()) clock.after(REDIAL_MS, () => connect(options, callback))
      else callback(error, null)
    })
}

function isMomentary(error: NodeJS.ErrnoException): boolean {
  return error.code !== undefined && MOMENTARY.has(error.code)
}

/** undici treats ECONNRESET as the regular end of a body that ends with the connection. Under another name it is an error. */
function noteLoss(error: NodeJS.ErrnoException): void {
  lostConnections.add(error)
  if (error.code === 'ECONNRESET') error.code = 'UPSTREAM_RESET'
}

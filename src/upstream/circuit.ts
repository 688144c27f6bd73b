import type { Clock } from '../core/clock.ts'
import { describeError } from '../core/describe-cause.ts'
import { ProxyError } from '../core/errors.ts'
import type { Failure } from '../core/failure.ts'
import type { CircuitPosition, UpstreamState } from '../core/upstream-state.ts'

/** Consecutive failures to connect that open the circuit. */
const MAX_FAILURES = 5
const OPEN_MS = 5000

/** This machine, not the server, is why a connection could not be opened. Clients may have used it up, and must not shut out others for longer. */
const SCARCITY_ERRORS = new Set<unknown>(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EADDRNOTAVAIL'])

/** Spares callers the wait for a connection to a server that is known not to be reachable, and the server what would come at once. */
export interface Circuit {
  /** Why a call must not be sent now; undefined where it may. After each time in which the circuit was open, one call is the probe. */
  findRefusal(): ProxyError | undefined
  /** A request has a connection. */
  connected(): void
  /** A connection could not be opened. What a server answers never counts. */
  failed(error: Error): void
  /** Whether a second dial makes sense for a call. */
  isClosed(): boolean
  state(): UpstreamState
}

export interface CircuitOptions {
  readonly clock: Clock
  /** How long a connection may take. */
  readonly connectSeconds: number
  /** Called when it opens, and when it closes again. */
  readonly onChange: (state: UpstreamState) => void
}

/** @param address - of the server, for people */
export function createCircuit(address: string, { clock, connectSeconds, onChange }: CircuitOptions): Circuit {
  let failures = 0
  let lastFailure: Failure | undefined
  let position: CircuitPosition = 'closed'
  let nextProbe = 0
  const state = (): UpstreamState => ({ address, circuit: position, lastFailure })
  const refuse = (leftMs: number): ProxyError =>
    new ProxyError('upstream_unreachable', {
      reason: 'circuit_open',
      cause: `${address} could not be reached ${failures} times: ${lastFailure?.cause}`,
      retryAfter: Math.max(1, Math.ceil(leftMs / 1000)),
    })
  return {
    state,
    isClosed: () => position === 'closed',
    findRefusal() {
      if (position === 'closed') return undefined
      const now = clock.monotonic()
      if (now < nextProbe) return refuse(position === 'open' ? nextProbe - now : 0)
      position = 'half_open'
      // Another call is the probe where this one never says how it went.
      nextProbe = now + OPEN_MS + connectSeconds * 1000
      return undefined
    },
    connected() {
      failures = 0
      if (position === 'closed') return
      position = 'closed'
      onChange(state())
    },
    failed(error) {
      if ('code' in error && SCARCITY_ERRORS.has(error.code)) return
      failures++
      lastFailure = { cause: describeError(error), at: clock.wall() }
      if (position === 'open' || failures < MAX_FAILURES) return
      const isNew = position === 'closed'
      position = 'open'
      nextProbe = clock.monotonic() + OPEN_MS
      if (isNew) onChange(state())
    },
  }
}

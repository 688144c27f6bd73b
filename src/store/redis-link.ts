import type { Clock } from '../core/clock.ts'
import { discard, inTime, orTooLate, pause, retire } from './answer-in-time.ts'
import { isLasting } from './redis-failure.ts'
import type { RedisNodeClient } from './redis-node.ts'

/** A connection that is replaced when it breaks, or when another server has become the master. */
export interface Link {
  readonly isReady: boolean
  /** What went wrong last. */
  readonly lastIssue: string | undefined
  /** Connects for the first time. Resolves when connected, or with a failure that would stay. */
  begin(): Promise<Error | undefined>
  /** Asks something, and answers in time. */
  run<T>(ask: (client: RedisNodeClient) => Promise<T>): Promise<T>
  /** Looks at once whether the server is still the master: over another connection it was found to be without replicas. */
  doubt(): void
  close(): Promise<void>
}

/** A connection to the server that took writes when it was opened. */
export interface OpenedMaster {
  readonly client: RedisNodeClient
  /** Whether it is still that server. Throws when it is not known. */
  isStillMaster(): Promise<boolean>
}

export interface LinkOptions {
  /** Opens a connection to the server that takes writes. */
  readonly open: (onLost: (error: Error) => void) => Promise<OpenedMaster>
  /** Called when the connection is lost, why it cannot be made anew, and when it is back: once for each reason. */
  readonly onIssue: (message: string) => void
  /** Called when a write found too few replicas. */
  readonly onDoubt: () => void
  /** Called when no connection is opened any more. */
  readonly onClose: () => void
  readonly clock: Clock
  /** Milliseconds after which something without an answer has failed. */
  readonly answerMs: number
}

/** One connection to one server. */
interface Line extends OpenedMaster {
  /** How many answers are overdue. */
  late: number
  /** `replaced`: another server is responsible, as is known. `doubtful`: that may be so. Neither is asked any more: it may not know what was written since. */
  standing: 'good' | 'replaced' | 'doubtful'
  /** When it was last known to be the master, on the monotonic clock. */
  confirmedAt: number
  /** Reasons to think that it is cut off, since it was last confirmed. */
  doubts: number
  /** When a look at that began last, on the monotonic clock. */
  examinedAt: number
  /** Undefined unless there is a look under way. */
  examination: Promise<void> | undefined
}

const MAX_PAUSE_MS = 5000

/** Between two looks at whether the server is still the master: one that was replaced, and does not know it, goes on answering. */
const EXAMINE_MS = 2500
/** For so long it is asked though it is not known whether it is still the master. */
const MAX_UNCONFIRMED_MS = 10_000
/** Between two looks for which there is a reason. */
const MIN_EXAMINE_MS = 500

/** Said before anything was done: another server is the master now, or has the hash slot. */
const ELSEWHERE = /^(READONLY|MOVED) /
/** Said by a server that may have been replaced, or no longer knows us. */
const DOUBTFUL = /^(CLUSTERDOWN|MASTERDOWN|NOAUTH) /
/** As a master finds that was cut off, but also one whose replicas are down. */
const WITHOUT_REPLICAS = /^(NOREPLICAS |\d+ of \d+ replicas have )/

const REPLACED = 'another server is the master now'

interface LinkState extends LinkOptions {
  current: Line | undefined
  /** Undefined unless a connection is being made. */
  renewal: Promise<Error | undefined> | undefined
  lastIssue: string | undefined
  hasBegun: boolean
  isClosed: boolean
  readonly ending: PromiseWithResolvers<void>
}

export function createLink(options: LinkOptions): Link {
  const state: LinkState = {
    ...options,
    current: undefined,
    renewal: undefined,
    lastIssue: undefined,
    hasBegun: false,
    isClosed: false,
    ending: Promise.withResolvers(),
  }
  const cancel = options.clock.every(EXAMINE_MS, () => {
    if (state.current?.standing === 'good') void examine(state, state.current)
  })
  return {
    get isReady() {
      return isGood(state) && state.current?.client.isReady === true
    },
    get lastIssue() {
      return state.lastIssue
    },
    begin: () => renew(state),
    run: (ask) => run(state, ask),
    doubt() {
      if (state.current !== undefined) doubt(state, state.current)
    },
    async close() {
      state.isClosed = true
      cancel()
      state.ending.resolve()
      options.onClose()
      const { current, clock, answerMs } = state
      state.current = undefined
      if (current !== undefined) await retire(current.client, clock, answerMs)
    },
  }
}

function isGood({ current }: LinkState): boolean {
  return current?.standing === 'good' && current.late === 0
}

/** Once for each reason in a row. */
function tell(state: LinkState, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  if (state.hasBegun && message !== state.lastIssue) state.onIssue(message)
  state.lastIssue = message
}

/** Makes a connection beside the one that there is, which may answer again. Until then it is tried without end, but for the first time. */
function renew(state: LinkState): Promise<Error | undefined> {
  state.renewal ??= keepTrying(state).finally(() => {
    state.renewal = undefined
  })
  return state.renewal
}

async function keepTrying(state: LinkState): Promise<Error | undefined> {
  for (let attempt = 0; !state.isClosed && !isGood(state); attempt += 1) {
    try {
      await connect(state)
    } catch (error) {
      if (!state.hasBegun && isLasting(error)) return error as Error
      tell(state, error)
      await Promise.race([pause(state.clock, Math.min(100 * 2 ** attempt, MAX_PAUSE_MS)), state.ending.promise])
    }
  }
  if (!state.isClosed) tellRecovery(state)
  return undefined
}

function tellRecovery(state: LinkState): void {
  if (state.hasBegun && state.lastIssue !== undefined) state.onIssue('Redis answers again')
  state.hasBegun = true
  state.lastIssue = undefined
}

async function connect(state: LinkState): Promise<void> {
  const opened: { line?: Line; lost?: Error } = {}
  const master = await state.open((error) => {
    opened.lost = error
    lose(state, opened.line, error)
  })
  // It may have been lost while it was asked for its role: nothing would tell that again.
  if (opened.lost !== undefined) {
    discard(master.client)
    throw opened.lost
  }
  // What was late may have been answered meanwhile.
  if (state.isClosed || isGood(state)) return master.client.destroy()
  const former = state.current
  const now = state.clock.monotonic()
  const known = { standing: 'good', confirmedAt: now, doubts: 0, examinedAt: now, examination: undefined } as const
  opened.line = { ...master, late: 0, ...known }
  state.current = opened.line
  if (former !== undefined) void retire(former.client, state.clock, state.answerMs)
}

function lose(state: LinkState, line: Line | undefined, error: Error): void {
  if (state.isClosed || line === undefined || state.current !== line) return
  state.current = undefined
  tell(state, error)
  void renew(state)
}

/** Looks whether the server is still the master, unless a look is under way. */
function examine(state: LinkState, line: Line): Promise<void> {
  line.examination ??= look(state, line).finally(() => {
    line.examination = undefined
  })
  return line.examination
}

async function look(state: LinkState, line: Line): Promise<void> {
  const { clock, answerMs } = state
  line.examinedAt = clock.monotonic()
  const { doubts } = line
  try {
    if (!(await orTooLate(line.isStillMaster(), clock, answerMs))) return leave(state, line, 'replaced', new Error(REPLACED))
    line.confirmedAt = clock.monotonic()
    line.doubts -= doubts
  } catch (error) {
    if (line.doubts > 0 || clock.monotonic() - line.confirmedAt >= MAX_UNCONFIRMED_MS) leave(state, line, 'doubtful', error)
  }
}

/** Asks the server no more, and looks for the one that is responsible. */
function leave(state: LinkState, line: Line, standing: 'replaced' | 'doubtful', reason: unknown): void {
  if (state.isClosed || state.current !== line || line.standing !== 'good') return
  line.standing = standing
  tell(state, reason)
  void renew(state)
}

/** A write without replicas is a reason to look at once, and for not going on where nothing confirms the server. */
function doubt(state: LinkState, line: Line): void {
  line.doubts += 1
  if (state.clock.monotonic() - line.examinedAt >= MIN_EXAMINE_MS) void examine(state, line)
}

async function run<T>(state: LinkState, ask: (client: RedisNodeClient) => Promise<T>): Promise<T> {
  const { current: line, lastIssue, clock, answerMs } = state
  if (line === undefined || line.standing === 'doubtful') {
    throw new Error(`Redis is not connected${lastIssue === undefined ? '' : `: ${lastIssue}`}`)
  }
  const onLate = () => {
    if (state.current === line) tell(state, 'Redis does not answer')
    void renew(state)
  }
  return inTime({ line, clock, milliseconds: answerMs, onLate }, async (isLate) => {
    try {
      return await askMaster(line, ask)
    } catch (error) {
      await follow(state, line, error)
      if (isLate() || state.current === undefined || !isGood(state)) throw error
      return ask(state.current.client)
    }
  })
}

async function askMaster<T>({ client, standing }: Line, ask: (client: RedisNodeClient) => Promise<T>): Promise<T> {
  // As it would say itself, if it knew.
  if (standing === 'replaced') throw new Error(`READONLY ${REPLACED}`)
  return ask(client)
}

/** Waits for a connection to the server that is responsible now. Throws the error unless another one is, and nothing was done. */
async function follow(state: LinkState, line: Line, error: unknown): Promise<void> {
  const message = error instanceof Error ? error.message : ''
  if (WITHOUT_REPLICAS.test(message)) {
    doubt(state, line)
    state.onDoubt()
  }
  const isElsewhere = ELSEWHERE.test(message)
  if (!isElsewhere && !DOUBTFUL.test(message)) throw error
  leave(state, line, isElsewhere ? 'replaced' : 'doubtful', error)
  const renewed = renew(state)
  if (!isElsewhere) throw error
  await renewed
}

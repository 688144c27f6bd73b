import type { Clock } from '../core/clock.ts'
import { inTime, pause, retire } from './answer-in-time.ts'
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
  close(): Promise<void>
}

export interface LinkOptions {
  /** Opens a connection to the server that takes writes. */
  readonly open: (onLost: (error: Error) => void) => Promise<RedisNodeClient>
  /** Called when the connection is lost, why it cannot be made anew, and when it is back: once for each reason. */
  readonly onIssue: (message: string) => void
  readonly clock: Clock
  /** Milliseconds after which something without an answer has failed. */
  readonly answerMs: number
}

/** One connection to one server. */
interface Line {
  readonly client: RedisNodeClient
  /** How many answers are overdue. */
  late: number
  /** Whether the server said that another one is responsible. */
  isStale: boolean
}

const MAX_PAUSE_MS = 5000

/** Said before anything was done: another server is the master now, or has the hash slot. */
const ELSEWHERE = /^(READONLY|MOVED) /
/** Said by a server that may have been replaced, or no longer knows us. */
const DOUBTFUL = /^(CLUSTERDOWN|MASTERDOWN|NOAUTH) /

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
  return {
    get isReady() {
      return isGood(state) && state.current?.client.isReady === true
    },
    get lastIssue() {
      return state.lastIssue
    },
    begin: () => renew(state),
    run: (ask) => run(state, ask),
    async close() {
      state.isClosed = true
      state.ending.resolve()
      const { current, clock, answerMs } = state
      state.current = undefined
      if (current !== undefined) await retire(current.client, clock, answerMs)
    },
  }
}

function isGood({ current }: LinkState): boolean {
  return current !== undefined && !current.isStale && current.late === 0
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
  const opened: { line?: Line } = {}
  const client = await state.open((error) => lose(state, opened.line, error))
  // What was late may have been answered meanwhile.
  if (state.isClosed || isGood(state)) return client.destroy()
  const former = state.current
  opened.line = { client, late: 0, isStale: false }
  state.current = opened.line
  if (former !== undefined) void retire(former.client, state.clock, state.answerMs)
}

function lose(state: LinkState, line: Line | undefined, error: Error): void {
  if (state.isClosed || line === undefined || state.current !== line) return
  state.current = undefined
  tell(state, error)
  void renew(state)
}

async function run<T>(state: LinkState, ask: (client: RedisNodeClient) => Promise<T>): Promise<T> {
  const { current: line, lastIssue, clock, answerMs } = state
  if (line === undefined) throw new Error(`Redis is not connected${lastIssue === undefined ? '' : `: ${lastIssue}`}`)
  const onLate = () => {
    if (state.current === line) tell(state, 'Redis does not answer')
    void renew(state)
  }
  return inTime({ line, clock, milliseconds: answerMs, onLate }, async (isLate) => {
    try {
      return await ask(line.client)
    } catch (error) {
      await follow(state, line, error)
      if (isLate() || state.current === undefined || !isGood(state)) throw error
      return ask(state.current.client)
    }
  })
}

/** Waits for a connection to the server that is responsible now. Throws the error unless another one is, and nothing was done. */
async function follow(state: LinkState, line: Line, error: unknown): Promise<void> {
  const message = error instanceof Error ? error.message : ''
  const isElsewhere = ELSEWHERE.test(message)
  if (!isElsewhere && !DOUBTFUL.test(message)) throw error
  if (state.current === line && !line.isStale) {
    line.isStale = true
    tell(state, error)
  }
  const renewed = renew(state)
  if (!isElsewhere) throw error
  await renewed
}

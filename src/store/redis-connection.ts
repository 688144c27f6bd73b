import { createClient } from 'redis'
import type { CancelTimer, Clock } from '../core/clock.ts'

/** Where Redis or Valkey is. */
export interface RedisAddress {
  /** `redis://` or `rediss://` URL. */
  readonly url: string
  readonly password: string | undefined
}

/** What is asked of Redis. Each answer comes in time, or is an error. */
export interface RedisConnection {
  /** Whether it can be asked now, as far as that is known without asking. */
  readonly isReady: boolean
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  hGet(key: string, field: string): Promise<string | null>
  close(): Promise<void>
}

/** Milliseconds after which a command without an answer has failed. */
const COMMAND_MS = 5000

/**
 * @param onIssue - called with problems of the connection; the text holds no secrets
 * @throws Error when it cannot be reached
 */
export async function connectRedis(
  { url, password }: RedisAddress,
  onIssue: (message: string) => void,
  clock: Clock,
): Promise<RedisConnection> {
  const client = createClient({
    url,
    ...(password !== undefined && { password }),
    // A request waits for a bounded time only; it does not queue up behind a connection that is gone.
    disableOfflineQueue: true,
    commandOptions: { timeout: COMMAND_MS },
    socket: { connectTimeout: COMMAND_MS, reconnectStrategy: (attempt: number) => Math.min(100 * 2 ** attempt, 5000) },
  })
  let lastIssue = ''
  client.on('error', (error: Error) => {
    lastIssue = `: ${error.message}`
    onIssue(`store: ${error.message}`)
  })
  await connectOnce(client, clock, () => `store: no connection to Redis within ${COMMAND_MS / 1000} s${lastIssue}`)
  return answerInTime(client as unknown as RedisConnection & Disconnecting, clock)
}

/** The first connection is made or the start fails; later ones are made anew without end. */
async function connectOnce(
  client: { connect(): Promise<unknown>; destroy(): void },
  clock: Clock,
  explain: () => string,
): Promise<void> {
  let cancel: CancelTimer = () => {}
  const late = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(COMMAND_MS, () => reject(new Error(explain())))
  })
  try {
    await Promise.race([client.connect(), late])
  } catch (error) {
    client.destroy()
    throw error
  } finally {
    cancel()
  }
}

interface Disconnecting {
  destroy(): void
}

/** The client bounds the time of a command only until it is sent: a server that stands still, or is cut off, would hold us for as long. */
function answerInTime(client: RedisConnection & Disconnecting, clock: Clock): RedisConnection {
  let late = 0
  const bound = <T>(answer: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      let isLate = false
      const cancel = clock.after(COMMAND_MS, () => {
        isLate = true
        late += 1
        reject(new Error(`Redis did not answer within ${COMMAND_MS / 1000} s`))
      })
      const settle = () => {
        cancel()
        if (isLate) late -= 1
      }
      answer.finally(settle).then(resolve, reject)
    })
  return {
    get isReady() {
      return client.isReady && late === 0
    },
    eval: (...script) => bound(client.eval(...script)),
    hGet: (...where) => bound(client.hGet(...where)),
    // It would wait for what was asked.
    close: () => bound(client.close()).catch(() => client.destroy()),
  }
}

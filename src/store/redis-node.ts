import { isIP } from 'node:net'
import { getCACertificates } from 'node:tls'
import { createClient } from 'redis'
import type { Clock } from '../core/clock.ts'
import type { RedisNode, RedisTls, RedisUser } from '../core/plan/store-plan.ts'
import { orTooLate } from './answer-in-time.ts'
import { explainFailure } from './redis-failure.ts'

/** A connection to one server. It is not made anew when it breaks. */
export interface RedisNodeClient {
  readonly isReady: boolean
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  hGet(key: string, field: string): Promise<string | null>
  /** @returns how many replicas have all that this connection wrote */
  wait(replicas: number, milliseconds: number): Promise<number>
  sendCommand(command: readonly string[]): Promise<unknown>
  /** Waits for the answers that are due. */
  close(): Promise<void>
  destroy(): void
}

/** How servers are spoken to. */
export interface RedisAccess {
  readonly user: RedisUser
  readonly tls: RedisTls | undefined
  readonly database?: number | undefined
  /** Place of the credentials in the configuration. */
  readonly at: string
}

export interface RedisNodeOptions {
  readonly clock: Clock
  /** The longest that connecting may take. */
  readonly milliseconds: number
  /** Called when the connection breaks later. */
  readonly onLost?: (error: Error) => void
}

/** @throws RedisFailure when the connection cannot be made */
export async function connectNode(
  node: RedisNode,
  access: RedisAccess,
  { clock, milliseconds, onLost = () => {} }: RedisNodeOptions,
): Promise<RedisNodeClient> {
  const client = createClient({
    socket: { ...describeSocket(node, access.tls), connectTimeout: milliseconds, reconnectStrategy: false },
    ...(access.user.username !== undefined && { username: access.user.username }),
    ...(access.user.password !== undefined && { password: access.user.password }),
    ...(access.database !== undefined && { database: access.database }),
    // A request waits for a bounded time only; it does not queue up behind a connection that is gone.
    disableOfflineQueue: true,
    // A server is not to send us elsewhere, past what the configuration says.
    maintNotifications: 'disabled',
  })
  let isConnected = false
  client.on('error', (error: Error) => {
    if (isConnected) onLost(explainFailure(error, node, access.at))
  })
  try {
    // The client bounds the time of the connection, not of what is asked over it first: a server that stands still would hold us.
    await orTooLate(client.connect(), clock, milliseconds)
    isConnected = true
    return client as unknown as RedisNodeClient
  } catch (error) {
    if (client.isOpen) client.destroy()
    throw explainFailure(error, node, access.at)
  }
}

function describeSocket({ host, port }: RedisNode, tls: RedisTls | undefined) {
  if (tls === undefined) return { host, port }
  const name = tls.serverName ?? (isIP(host) === 0 ? host : undefined)
  return {
    host,
    port,
    tls: true as const,
    // Explicit, since NODE_TLS_REJECT_UNAUTHORIZED=0 would otherwise disable it.
    rejectUnauthorized: true,
    ...(tls.ca !== undefined && { ca: [...getCACertificates('default'), tls.ca] }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
    ...(name !== undefined && { servername: name }),
  }
}

/** What a server says of itself. */
export interface Greeting {
  /** `standalone`, `cluster` or `sentinel`. */
  readonly mode: string | undefined
  /** `master` or `replica`. */
  readonly role: string | undefined
}

/** HELLO is open to each user, whatever its rules are. */
export async function greet(client: RedisNodeClient): Promise<Greeting> {
  const answer = await client.sendCommand(['HELLO'])
  return { mode: findField(answer, 'mode'), role: findField(answer, 'role') }
}

/** A field of an answer that is a map (RESP3), or a list of names and values (RESP2). */
export function findField(answer: unknown, name: string): string | undefined {
  if (Array.isArray(answer)) {
    const index = answer.findIndex((item, position) => position % 2 === 0 && item === name)
    return index < 0 ? undefined : String(answer[index + 1])
  }
  if (answer instanceof Map) return answer.has(name) ? String(answer.get(name)) : undefined
  const value = (answer as Record<string, unknown> | null)?.[name]
  return value === undefined ? undefined : String(value)
}

import { Agent, type IncomingMessage, request as startRequest } from 'node:http'
import { isObject } from '../core/is-object.ts'
import type { AdminPlan } from '../core/plan/admin-plan.ts'
import { endSentence } from '../core/sentence.ts'
import { readVersion, VERSION_HEADER } from '../core/version.ts'
import { escapeControlCharacters } from '../doctor/untrusted-text.ts'
import type { Source } from './source.ts'
import { UsageError } from './usage-error.ts'

/** The running proxy did not do what it was asked for. The message is for people. */
export class AdminError extends Error {
  /** The error code of the running proxy; undefined where none answered. */
  readonly code: string | undefined
  /** Whether nothing listens where the running proxy would. */
  readonly isAbsent: boolean

  /** Takes what to tell, and the code where a proxy gave one. */
  constructor(message: string, code?: string, isAbsent = false) {
    super(message)
    this.code = code
    this.isAbsent = isAbsent
  }
}

/** Asks the running proxy of a configuration. */
export interface AdminClient {
  /**
   * @param path - of the action
   * @returns what it answers
   * @throws AdminError
   */
  call(path: string, input: Readonly<Record<string, unknown>>): Promise<unknown>
}

const TIMEOUT_MS = 30_000
/** Answers are lists of bounded length. */
const MAX_BYTES = 16 * 1024 * 1024

/**
 * Finds the admin listener and its token where the running proxy has them from: in the configuration.
 *
 * @throws ConfigError; UsageError where the configuration has no admin listener that can be found, or no token
 */
export function createAdminClient(source: Source, timeoutMs: number = TIMEOUT_MS): AdminClient {
  const { admin } = source.load().plan
  if (admin?.token === undefined) {
    const lacks = admin === undefined ? 'admin listener, which this command asks' : 'admin.token, which this command has to show'
    throw new UsageError(
      `${source.name} has no ${lacks}. ${describeMissingToken(admin)}, set the variable, and restart the proxy.`,
    )
  }
  if (admin.port === 0) throw new UsageError(`${source.name} has admin.port 0: only the running proxy knows its port. Write one.`)
  const target = { admin, token: admin.token, timeoutMs }
  return { call: async (path, input) => readAnswer(await post(target, path, JSON.stringify(input)), target) }
}

/** What to write into the configuration for commands that ask the running proxy; the sentence goes on. */
export function describeMissingToken(admin: AdminPlan | undefined): string {
  return admin === undefined
    ? 'Add `admin: { port: 9090, token: { env: ADMIN_TOKEN } }`'
    : 'Add `token: { env: ADMIN_TOKEN }` to `admin`'
}

interface Target {
  readonly admin: AdminPlan
  readonly token: string
  readonly timeoutMs: number
}

interface Answer {
  readonly status: number
  readonly version: string | undefined
  readonly text: string
}

/** Goes there directly, whatever proxies the environment names: the token is for our own process only. */
function post(target: Target, path: string, body: string): Promise<Answer> {
  const { admin, token, timeoutMs } = target
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  }
  return new Promise((resolve, reject) => {
    const request = startRequest({
      ...{ host: reachableHost(admin.host), port: admin.port, path, method: 'POST', headers },
      agent: new Agent(),
      // Of the whole exchange: an answer that trickles in is no answer either.
      signal: AbortSignal.timeout(timeoutMs),
    })
    const fail = (error: Error & { code?: string }): void =>
      reject(new AdminError(explainFailure(error, target), undefined, error.code === 'ECONNREFUSED'))
    request.on('error', fail)
    request.on('response', (response) => void readText(response).then(resolve, fail))
    request.end(body)
  })
}

async function readText(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BYTES) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  const version = response.headers[VERSION_HEADER]
  return {
    status: response.statusCode ?? 0,
    version: typeof version === 'string' ? version : undefined,
    text: Buffer.concat(chunks).toString('utf8'),
  }
}

/** The address to reach a listener at that listens on all of them. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

function addressOf({ admin }: Target): string {
  const host = reachableHost(admin.host)
  return `${host.includes(':') ? `[${host}]` : host}:${admin.port}`
}

function explainFailure(error: Error & { code?: string }, target: Target): string {
  const address = addressOf(target)
  if (error.name === 'AbortError' || error.name === 'TimeoutError')
    return `The proxy at ${address} did not answer within ${target.timeoutMs / 1000} s. Whether it did what it was asked for is not known.`
  if (error.code === 'ECONNREFUSED')
    return `Nothing listens at ${address} (admin.host, admin.port). Does the proxy run with this configuration, and on this machine? If admin.host or admin.port was changed since its start, restart it.`
  return endSentence(`The proxy at ${address} cannot be asked: ${error.message}`)
}

/** @throws AdminError */
function readAnswer({ status, version, text }: Answer, target: Target): unknown {
  const address = addressOf(target)
  const value = parse(text)
  const { error, message, detail } = readRefusal(value)
  if (status === 401 && error !== undefined)
    throw new AdminError(`The proxy at ${address} has another admin.token. If it was changed, restart the proxy.`, error)
  if (status === 405 && version === undefined && error !== undefined)
    throw new AdminError(`The proxy at ${address} runs without admin.token. Restart it with this configuration.`, error)
  if (error !== undefined && error !== 'route_not_found')
    throw new AdminError(endSentence(`The proxy refused: ${detail ?? message ?? error}`), error)
  if (version === undefined) throw new AdminError(`What answers at ${address} is not this proxy (status ${status}).`)
  if (error === undefined && status === 200) return value
  throw new AdminError(
    `The proxy at ${address} has version ${version} and does not know this command; this is version ${readVersion()}.`,
    error,
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

interface Refusal {
  readonly error: string | undefined
  readonly message: string | undefined
  readonly detail: string | undefined
}

/** What answers may be anything, and is shown on a terminal. */
function readRefusal(value: unknown): Refusal {
  const refusal = isObject(value) ? value : {}
  const text = (name: string) => {
    const part = refusal[name]
    return typeof part === 'string' ? escapeControlCharacters(part) : undefined
  }
  return { error: text('error'), message: text('message'), detail: text('detail') }
}

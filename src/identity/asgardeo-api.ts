import type { SafeFetch } from '../oauth/safe-fetch.ts'
import type { AdminToken } from './asgardeo-admin-token.ts'
import { type AsgardeoAnswer, readAnswer } from './asgardeo-answer.ts'
import { AsgardeoError, type AsgardeoErrorKind, quoteUntrusted } from './asgardeo-error.ts'

export interface AsgardeoRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the address of the organization. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Readonly<Record<string, unknown>>
  /** What the admin client needs for it, to be named when it is refused. */
  readonly scope: string
  /** Values that must not stand in a message, should the answer repeat them. */
  readonly secrets?: readonly string[]
}

/** The management interfaces of an organization. */
export interface AsgardeoApi {
  /** @throws AsgardeoError unless the status is one of success */
  send(request: AsgardeoRequest): Promise<AsgardeoAnswer>
}

export interface AsgardeoApiOptions {
  /** Address of the organization, without a final slash. */
  readonly base: string
  readonly token: AdminToken
  readonly outboundFetch: SafeFetch
}

/** Asgardeo takes a while to create an application; after a time-out that is too short, an application would be orphaned. */
const DEADLINE_MS = 20_000

export function createAsgardeoApi(options: AsgardeoApiOptions): AsgardeoApi {
  return {
    async send(request) {
      const token = await options.token.obtain()
      let answer = await call(request, token, options)
      if (answer.status === 401) {
        // It may have been revoked, or its lifetime been shortened. A second refusal is about something else.
        options.token.drop(token)
        answer = await call(request, await options.token.obtain(), options)
      }
      if (answer.status >= 200 && answer.status < 300) return answer
      throw explain(answer, request)
    },
  }
}

async function call(
  request: AsgardeoRequest,
  token: string,
  { base, outboundFetch }: AsgardeoApiOptions,
): Promise<AsgardeoAnswer> {
  const { method, path, query, body } = request
  const search = query === undefined ? '' : `?${new URLSearchParams(query)}`
  try {
    const answer = await outboundFetch.fetchRaw(`${base}${path}${search}`, {
      namedBy: 'operator',
      method,
      deadlineMs: DEADLINE_MS,
      headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return readAnswer(answer)
  } catch (cause) {
    const reason = quoteUntrusted((cause as Error).message, [token, ...(request.secrets ?? [])])
    throw new AsgardeoError('unavailable', `Asgardeo gives no answer to ${method} ${path}: ${reason}`)
  }
}

const KIND_BY_STATUS: Readonly<Record<number, AsgardeoErrorKind>> = {
  401: 'permission',
  403: 'permission',
  404: 'missing',
  405: 'missing',
  409: 'conflict',
  429: 'unavailable',
  501: 'missing',
}

function explain(answer: AsgardeoAnswer, request: AsgardeoRequest): AsgardeoError {
  const { status } = answer
  const kind = KIND_BY_STATUS[status] ?? (status >= 400 && status < 500 ? 'refused' : 'unavailable')
  const fix = kind === 'permission' ? `: authorize the admin client for the scope ${request.scope}` : describe(answer, request)
  return new AsgardeoError(kind, `Asgardeo answers ${request.method} ${request.path} with ${status}${fix}`)
}

/** The management interface says `code`, `message` and `description`, that for registration `error` and `error_description`. */
function describe({ document = {} }: AsgardeoAnswer, { secrets = [] }: AsgardeoRequest): string {
  const { code, error, description, error_description: text, message } = document
  const words = [code ?? error, description ?? text ?? message].filter((word) => typeof word === 'string')
  return words.length === 0 ? '' : `: ${words.map((word) => quoteUntrusted(word, secrets)).join(' ')}`
}

import { hasTooManyParameters } from '../../core/form-size.ts'
import { isObject } from '../../core/is-object.ts'

/** Members that may be left out. Some providers write `null` or an empty text instead. */
const OPTIONAL = ['expires_in', 'id_token', 'refresh_token', 'scope', 'token_type'] as const

/**
 * Brings the answer of a token endpoint into the form of RFC 6749 §5. GitHub tells errors with status 200, and it and others answer in
 * the form encoding of their first years; others name members that say nothing.
 *
 * @returns JSON, with status 400 for an error; anything that is neither form passes as it is
 */
export async function normalizeTokenAnswer(response: Response): Promise<Response> {
  const type = response.headers.get('content-type') ?? ''
  if (response.status !== 200) return response
  const text = await response.text()
  const answer = /^application\/x-www-form-urlencoded\b/i.test(type) ? readForm(text) : readJson(text)
  if (answer === undefined) return new Response(text, { status: 200, headers: { 'content-type': type } })
  const told = Object.fromEntries(Object.entries(answer).filter(([name, value]) => !isNothing(name, value)))
  // OpenAuth leaves it out. A bearer token is all that we use.
  if (typeof told.access_token === 'string') told.token_type ??= 'bearer'
  const status = typeof answer.error === 'string' && answer.access_token === undefined ? 400 : 200
  return new Response(JSON.stringify(told), { status, headers: { 'content-type': 'application/json' } })
}

function isNothing(name: string, value: unknown): boolean {
  return (OPTIONAL as readonly string[]).includes(name) && (value === null || value === '')
}

type Answer = Readonly<Record<string, unknown>>

/** A parameter that is there twice is two answers (RFC 6749 §3.2). */
function readForm(text: string): Answer | undefined {
  if (hasTooManyParameters(text)) return undefined
  const pairs = [...new URLSearchParams(text)]
  const names = new Set(pairs.map(([name]) => name))
  return names.size === pairs.length && (names.has('access_token') || names.has('error')) ? Object.fromEntries(pairs) : undefined
}

function readJson(text: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { EndpointHandler, EndpointRequest } from '../core/endpoint-request.ts'
import type { ErrorCode } from '../core/errors.ts'
import { hasTooManyParameters } from '../core/form-size.ts'
import { isObject } from '../core/is-object.ts'
import { checkStrictJson } from '../core/json/strict-json.ts'
import type { RewriteEndpointPlan } from '../core/plan/rewrite-plan.ts'
import type { RawAnswer, SafeFetch } from '../oauth/safe-fetch.ts'
import { allowEverybody, answerPreflight, refuseMethod, sendOAuthError } from './answers.ts'
import { createLookAlikes, mergeParameters } from './parameters.ts'

export interface PassingOptions {
  readonly endpoint: RewriteEndpointPlan
  /** Whether bodies are forms; else JSON. */
  readonly form: boolean
  /** Those that a form may ask for; undefined for any. With credentials of ours, all others would be there for every caller. */
  readonly grants?: readonly string[] | undefined
  readonly outboundFetch: SafeFetch
}

/** Longest body, in bytes: metadata of a client with all its URLs, or an assertion. */
const MAX_BYTES = 64 * 1024
const MAX_DEPTH = 16

/** Headers of an answer that mean something to the client. Cookies of the identity provider would be cookies of ours: never. */
const PASSED = ['www-authenticate', 'retry-after'] as const
const FORM = /^application\/x-www-form-urlencoded\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i
const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i
/** Media types of answers that are passed on. Foreign markup would run under our origin. */
const ANSWER = /^application\/(?:(?:[\w.-]+\+)?json|x-www-form-urlencoded)(?:$|[ \t]*;)/i

/** Passes POST requests on to one URL, with more parameters in their bodies. */
export function createPassing(options: PassingOptions): EndpointHandler {
  return async (incoming) => {
    const { request } = incoming
    if (request.method === 'OPTIONS') return answerPreflight(incoming, ['POST'])
    const refuse = (code: ErrorCode, cause: string) => sendOAuthError(incoming, code, cause)
    if (request.method !== 'POST') return refuseMethod(incoming, ['POST', 'OPTIONS'])
    const type = options.form ? FORM : JSON_TYPE
    if (!type.test(request.headers['content-type'] ?? '') || isEncoded(request))
      return refuse('media_type_unsupported', `not ${options.form ? 'a form' : 'JSON'} in UTF-8`)
    const credentials = findCredentials(request)
    if (credentials.length > 1) return refuse('authorization_refused', 'two Authorization headers')
    const body = await readBody(incoming)
    if (body === undefined) return refuse('body_too_large', `longer than ${MAX_BYTES} bytes`)
    const changed = options.form ? changeForm(body, options) : changeJson(body, options)
    if (changed === undefined) return refuse('authorization_refused', 'the body is ambiguous or malformed')
    if (!isGranted(changed, options)) return refuse('authorization_refused', 'a grant that the metadata does not announce')
    await pass(incoming, changed.text, credentials[0], options)
  }
}

function isEncoded({ headers }: IncomingMessage): boolean {
  const encoding = headers['content-encoding']
  return encoding !== undefined && encoding.toLowerCase() !== 'identity'
}

/** Node keeps the first of two and drops the others. */
function findCredentials({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'authorization')
}

/** @returns undefined when it is too long; the rest is not read then */
async function readBody({ request, response }: EndpointRequest): Promise<Buffer | undefined> {
  if (request.headers.expect !== undefined) response.writeContinue()
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length
    if (length > MAX_BYTES) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** A body as it is passed on. */
interface Changed {
  readonly text: string
  /** `grant_type` of a form. */
  readonly grant?: string | undefined
}

function changeForm(body: Buffer, { endpoint }: PassingOptions): Changed | undefined {
  if (!isUtf8(body)) return undefined
  const form = body.toString()
  if (hasTooManyParameters(form)) return undefined
  const merged = mergeParameters(new URLSearchParams(form), endpoint.parameters)
  return merged && { text: merged.toString(), grant: merged.get('grant_type') ?? undefined }
}

function isGranted({ grant = '' }: Changed, { grants }: PassingOptions): boolean {
  return grants === undefined || grants.includes(grant)
}

function changeJson(body: Buffer, { endpoint }: PassingOptions): Changed | undefined {
  if (!isUtf8(body)) return undefined
  const text = body.toString()
  try {
    checkStrictJson(text, MAX_DEPTH)
  } catch {
    return undefined
  }
  const value: unknown = JSON.parse(text)
  if (!isObject(value) || Object.keys(value).some(createLookAlikes(endpoint.parameters))) return undefined
  return { text: JSON.stringify({ ...value, ...endpoint.parameters }) }
}

async function pass(
  incoming: EndpointRequest,
  body: string,
  authorization: string | undefined,
  options: PassingOptions,
): Promise<void> {
  let answer: RawAnswer
  try {
    answer = await options.outboundFetch.fetchRaw(options.endpoint.url, {
      namedBy: 'operator',
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': options.form ? 'application/x-www-form-urlencoded' : 'application/json',
        ...(authorization !== undefined && { authorization }),
      },
      body,
    })
  } catch (error) {
    return sendOAuthError(incoming, 'identity_provider_unavailable', error)
  }
  send(incoming, answer)
}

function send(incoming: EndpointRequest, { status, headers, bytes }: RawAnswer): void {
  const type = headers['content-type']
  if (bytes.length > 0 && !ANSWER.test(type ?? ''))
    return sendOAuthError(incoming, 'identity_provider_unavailable', `it answers ${status} with ${type ?? 'no content type'}`)
  const passed = PASSED.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]] as const]))
  if (status >= 400) incoming.note('authorization_refused', `the identity provider answers ${status}`)
  incoming.response
    .writeHead(status, {
      ...allowEverybody,
      ...Object.fromEntries(passed),
      ...(type !== undefined && bytes.length > 0 && { 'content-type': type }),
      'cache-control': 'no-store',
    })
    .end(bytes)
}

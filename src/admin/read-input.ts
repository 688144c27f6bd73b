import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import { isObject } from '../core/is-object.ts'
import { checkStrictJson } from '../core/json/strict-json.ts'
import { StrictJsonError } from '../core/json/strict-json-error.ts'
import { checkJsonBody, decodeBody, readBody } from '../http/body.ts'
import { ROOMLESS_BYTES } from '../http/body-room.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { ActionInput } from './admin-action.ts'

/** So short that a body never waits for room. */
const LIMITS = { bodyBytes: ROOMLESS_BYTES, bodyIdleSeconds: 10 }
const MAX_DEPTH = 8

/**
 * Reads what an action is asked with. A web page can post no `application/json` to another origin without asking first (Fetch §4.8), and
 * the listener answers no preflight.
 *
 * @throws ProxyError `media_type_unsupported`, `body_too_large`, `body_timeout`, `client_gone`, `json_invalid`, `json_ambiguous`,
 * `admin_input_invalid`
 */
export async function readInput(
  request: IncomingMessage,
  response: ServerResponse,
  head: RequestHead,
  clock: Clock,
): Promise<ActionInput> {
  checkJsonBody(head)
  const body = await readBody({ request, response, limits: LIMITS, clock, claimRoom: refuseRoom }, head)
  const value = parseJson(decodeBody(body))
  if (!isObject(value)) throw new ProxyError('admin_input_invalid', { cause: 'the body must be a JSON object' })
  return value
}

function refuseRoom(bytes: number): never {
  throw new Error(`a body of ${bytes} bytes is over the limit and asks for no room`)
}

function parseJson(text: string): unknown {
  try {
    checkStrictJson(text, MAX_DEPTH)
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error
    throw new ProxyError(error.kind === 'syntax' ? 'json_invalid' : 'json_ambiguous', { cause: error.message })
  }
  return JSON.parse(text)
}

import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ProxyError } from '../core/errors.ts'
import { watchIdle } from './idle-watch.ts'
import type { RequestHead } from './request-head.ts'

export interface BodyLimits {
  readonly bodyBytes: number
  /** Seconds between two pieces. */
  readonly bodyIdleSeconds: number
}

/** `application/json` with no parameter but UTF-8 (RFC 8259 §8.1). `text/plain` is what a foreign page may post without asking. */
const jsonType = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?;?$/i
const formType = /^application\/x-www-form-urlencoded\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?;?$/i

/** @throws ProxyError `media_type_unsupported` unless the body is JSON in UTF-8 without a content encoding */
export function checkJsonBody(head: RequestHead): void {
  if (head.contentEncoding !== undefined && head.contentEncoding.toLowerCase() !== 'identity') {
    throw new ProxyError('media_type_unsupported', { cause: 'Content-Encoding' })
  }
  if (head.contentType !== 'application/json' && !jsonType.test(head.contentType ?? ''))
    throw new ProxyError('media_type_unsupported', { cause: 'Content-Type is not application/json' })
}

/** Whether the body is a form (RFC 6750 §2.2). */
export function isFormBody(head: RequestHead): boolean {
  return formType.test(head.contentType ?? '')
}

/**
 * Reads the whole body. Asks for it first where the client waits to be asked (`Expect: 100-continue`), which is why nobody gets here
 * before the token was verified.
 *
 * @throws ProxyError `body_too_large` after at most the limit and one piece, `body_timeout`, `client_gone`
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  head: RequestHead,
  limits: BodyLimits,
): Promise<Buffer> {
  if (head.contentLength !== undefined && head.contentLength > limits.bodyBytes) {
    return Promise.reject(new ProxyError('body_too_large', { cause: `${head.contentLength} bytes announced` }))
  }
  if (request.destroyed) return Promise.reject(new ProxyError('client_gone'))
  if (head.expectsContinue) response.writeContinue()
  return new Promise((resolve, reject) => collect(request, limits, { resolve, reject }))
}

/** Settles a promise, and so holds it and the body in it. */
interface Settlement {
  resolve(body: Buffer): void
  reject(error: ProxyError): void
}

function collect(request: IncomingMessage, limits: BodyLimits, settlement: Settlement): void {
  const pieces: Buffer[] = []
  let length = 0
  // Listeners stay when it is over: taking them off costs more than all the rest here. What they hold goes, for an answer may last.
  let open: Settlement | undefined = settlement
  const settle = (): void => {
    open = undefined
    pieces.length = 0
    waiting.stop()
  }
  const fail = (error: ProxyError): void => {
    open?.reject(error)
    settle()
  }
  const waiting = watchIdle(limits.bodyIdleSeconds, () => fail(new ProxyError('body_timeout')))
  const onData = (piece: Buffer): void => {
    if (open === undefined) return
    length += piece.length
    if (length > limits.bodyBytes) return fail(new ProxyError('body_too_large', { cause: `more than ${limits.bodyBytes} bytes` }))
    pieces.push(piece)
    waiting.touch()
  }
  const onEnd = (): void => {
    if (open === undefined) return
    open.resolve(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, length))
    settle()
  }
  const onGone = (): void => {
    if (open !== undefined) fail(new ProxyError('client_gone'))
  }
  request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone)
}

/**
 * The body as text.
 *
 * @throws ProxyError `json_invalid` for bytes that aren't UTF-8: a lenient decoder would replace them, and read something else
 */
export function decodeBody(body: Buffer): string {
  if (!isUtf8(body)) throw new ProxyError('json_invalid', { cause: 'not valid UTF-8' })
  return body.toString('utf8')
}

import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Clock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import { type BodyClaim, ROOMLESS_BYTES } from './body-room.ts'
import { letGo } from './discard-body.ts'
import { type Waiting, watchIdle } from './idle-watch.ts'
import { joinPieces, MAX_LOOSE_PIECES } from './pack-body.ts'
import type { RequestHead } from './request-head.ts'

export interface BodyLimits {
  readonly bodyBytes: number
  /** Seconds between two pieces. */
  readonly bodyIdleSeconds: number
}

/** `application/json` with no parameter but UTF-8 (RFC 8259 §8.1), sometimes without its hyphen (WHATWG Encoding §4.2). `text/plain` is what other sites may post without a preflight. */
const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-?8"?\s*)?;?$/i
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(?:;\s*charset\s*=\s*"?utf-?8"?\s*)?;?$/i

/** @throws ProxyError `media_type_unsupported` unless the body is JSON in UTF-8 without a content encoding */
export function checkJsonBody(head: RequestHead): void {
  if (head.contentEncoding !== undefined && head.contentEncoding.toLowerCase() !== 'identity') {
    throw new ProxyError('media_type_unsupported', { cause: 'Content-Encoding' })
  }
  if (head.contentType !== 'application/json' && !JSON_TYPE.test(head.contentType ?? ''))
    throw new ProxyError('media_type_unsupported', { cause: 'Content-Type is not application/json' })
}

/** Whether the body is a form (RFC 6750 §2.2). */
export function isFormBody(head: RequestHead): boolean {
  return FORM_TYPE.test(head.contentType ?? '')
}

/** A body to be read, with what reading needs. */
export interface BodyReading {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly limits: BodyLimits
  readonly clock?: Clock
  /**
   * Reserves room, once, for a body that is long or may be. It is kept until the caller releases it, unless reading fails.
   */
  claimRoom(bytes: number, onLate: () => void): BodyClaim
}

/**
 * Reads the whole body, synchronously where it has arrived already. Sends `100 Continue` where the client waits for it, and is therefore
 * called only after the token was verified.
 *
 * @throws ProxyError `body_too_large` after at most the limit and one piece, `body_timeout`, `bodies_limited`, `client_gone`
 */
export function readBody(reading: BodyReading, head: RequestHead): Promise<Buffer> | Buffer {
  const { request, limits } = reading
  const whole = takeWhole(request, head, limits)
  if (whole !== undefined) return whole
  const announced = head.contentLength ?? 0
  if (announced > limits.bodyBytes)
    return Promise.reject(new ProxyError('body_too_large', { cause: `${announced} bytes announced` }))
  if (request.destroyed) return Promise.reject(new ProxyError('client_gone'))
  return new Promise((resolve, reject) => new Collection(reading, { resolve, reject }).begin(announced, head.expectsContinue))
}

/**
 * A short body that arrived together with its header section, as most do. Waiting for it would be a good part of the cost of a call. The
 * `end` event of the stream is not awaited: Node already treats the request as read and complete.
 */
function takeWhole(request: IncomingMessage, { contentLength }: RequestHead, { bodyBytes }: BodyLimits): Buffer | undefined {
  const length = request.readableLength
  if (length === 0 || length !== contentLength || length > ROOMLESS_BYTES || length > bodyBytes || request.destroyed)
    return undefined
  return (request.read() as Buffer | null) ?? undefined
}

/** Settles a promise, and so holds it and the body in it. */
interface Settlement {
  resolve(body: Buffer): void
  reject(error: ProxyError): void
}

/** The pieces of one body, as they come. */
class Collection {
  readonly #reading: BodyReading
  /** Listeners stay at the end: removing them costs more than the rest of this. What they hold is released, since an answer may last. */
  #open: Settlement | undefined
  readonly #pieces: Buffer[] = []
  /** How many of the pieces have been put together from others. */
  #packs = 0
  #length = 0
  #waiting: Waiting | undefined
  #claim: BodyClaim | undefined
  /** Takes back that nothing more is taken from the connection. */
  #goOn: (() => void) | undefined

  constructor(reading: BodyReading, settlement: Settlement) {
    this.#reading = reading
    this.#open = settlement
  }

  begin(announced: number, expectsContinue: boolean): void {
    if (announced <= ROOMLESS_BYTES) this.#listen(expectsContinue)
    else this.#waitForRoom(announced, () => this.#listen(expectsContinue))
  }

  #listen(expectsContinue: boolean): void {
    const { request, response } = this.#reading
    if (request.destroyed) return this.#fail(new ProxyError('client_gone'))
    if (expectsContinue) response.writeContinue()
    this.#watch()
    const onGone = (): void => {
      if (this.#open !== undefined) this.#fail(new ProxyError('client_gone'))
    }
    request
      .on('data', (piece: Buffer) => this.#take(piece))
      .on('end', () => this.#finish())
      .on('error', onGone)
      .on('close', onGone)
  }

  #watch(): void {
    const { limits, clock } = this.#reading
    this.#waiting = watchIdle(limits.bodyIdleSeconds, () => this.#fail(new ProxyError('body_timeout')), clock)
  }

  #take(piece: Buffer): void {
    if (this.#open === undefined) return
    const { bodyBytes } = this.#reading.limits
    this.#length += piece.length
    if (this.#length > bodyBytes) return this.#fail(new ProxyError('body_too_large', { cause: `more than ${bodyBytes} bytes` }))
    this.#pieces.push(piece)
    if (this.#pieces.length - this.#packs >= MAX_LOOSE_PIECES) this.#pack()
    this.#waiting?.touch()
    if (this.#length > ROOMLESS_BYTES && this.#claim === undefined) this.#pause()
  }

  #pack(): void {
    this.#pieces.push(Buffer.concat(this.#pieces.splice(this.#packs)))
    this.#packs++
  }

  /** It is chunked and turns out to be long. Its length is unknown: with less room than the limit it might get stuck. */
  #pause(): void {
    const { request, limits } = this.#reading
    this.#goOn = holdBack(request)
    this.#waiting?.stop()
    this.#waitForRoom(limits.bodyBytes, () => {
      this.#watch()
      this.#resume()
    })
  }

  #resume(): void {
    this.#goOn?.()
    this.#goOn = undefined
  }

  #waitForRoom(bytes: number, then: () => void): void {
    const onLate = (): void => this.#fail(new ProxyError('body_timeout', { cause: 'it took long, and others waited' }))
    this.#claim = this.#reading.claimRoom(bytes, onLate)
    this.#claim.given.then(
      () => this.#open !== undefined && then(),
      (error: ProxyError) => this.#fail(error),
    )
  }

  #finish(): void {
    const body = joinPieces(this.#pieces, this.#length)
    this.#open?.resolve(body)
    this.#settle(body)
    this.#claim?.arrived(this.#length)
  }

  #fail(error: ProxyError): void {
    if (this.#open === undefined) return
    this.#open.reject(error)
    this.#settle()
    this.#claim?.release()
    this.#resume()
  }

  /** @param body - one of the pieces if it was the only one, whose memory must then be kept */
  #settle(body?: Buffer): void {
    this.#open = undefined
    for (const piece of this.#pieces) if (piece !== body) letGo(piece)
    this.#pieces.length = 0
    this.#waiting?.stop()
  }
}

/**
 * Stops reading from the connection. If only the request were paused, Node would read on up to 64 KiB, and hold each byte of a client that
 * sends single bytes as an object of two hundred times its size.
 *
 * @returns resumes reading
 */
function holdBack(request: IncomingMessage): () => void {
  request.pause()
  request._read = readNothing
  // Node stops reading from a connection whose request is full. Pausing the connection itself takes far more memory.
  const pushLast: IncomingMessage['push'] = (piece) => {
    Readable.prototype.push.call(request, piece)
    return false
  }
  request.push = pushLast
  // Pieces that have arrived are joined and emitted as one. With a known length, this emits no `end` before reading resumes.
  setImmediate(() => request.isPaused() && request.readableLength > 0 && request.read(request.readableLength))
  return () => {
    Reflect.deleteProperty(request, '_read')
    Reflect.deleteProperty(request, 'push')
    request.resume()
    // A read that was requested meanwhile had no effect and would not be repeated.
    request._read(0)
  }
}

function readNothing(): void {}

/**
 * The body as text.
 *
 * @throws ProxyError `json_invalid` for bytes that aren't UTF-8: a lenient decoder would replace them, and read something else
 */
export function decodeBody(body: Buffer): string {
  if (!isUtf8(body)) throw new ProxyError('json_invalid', { cause: 'not valid UTF-8' })
  return body.toString('utf8')
}

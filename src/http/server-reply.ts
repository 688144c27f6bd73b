import type { ServerResponse } from 'node:http'
import type { ProxyError } from '../core/errors.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'
import { endJoined, type JoinedPieces, writeJoined } from './joined-pieces.ts'

/** A body of this size or less arrives with its headers in one piece; with anything else the headers go ahead at once. */
const MAX_DEFERRED_BYTES = 64 * 1024
/** Pieces of one turn of the event loop are joined to one of this many bytes at most; to copy longer ones costs more than to write them. */
const MAX_JOINED_BYTES = 16 * 1024

/** Whose answer it is. */
export interface ReplyOwner {
  readonly response: ServerResponse
  /** Headers that every answer of this request carries. */
  readonly answerHeaders: Readonly<ReplyHeaders>
  /** `X-Request-Id` of the answer. */
  readonly requestId: string
  /** Called with the headers of the upstream's response before it starts; may change them. */
  beforeStart(headers: ReplyHeaders): void
  /** Whether an answer with these headers can end anywhere without being misread. */
  mayEndAnywhere(headers: ReplyHeaders): boolean
  /** Called when the response has started. */
  afterStart(headers: ReplyHeaders): void
  /** Written at the end of a stream that we end ourselves between two events. */
  readonly farewell: string | undefined
  /** Called when status and headers are sent ahead of the body. */
  onFlush(): void
  /** Answers a failure before anything was sent. */
  refuse(error: ProxyError): void
  /** Called for a failure after that: the stream says so itself, or the connection is cut. */
  onFailure(error: ProxyError): void
}

let flushAtEndOfTurn: (reply: ServerReply) => void

/** The outermost Reply: writes to the client's socket. A class, since thousands of streams may wait in one of these each. */
export class ServerReply implements Reply {
  readonly #owner: ReplyOwner
  readonly #response: ServerResponse
  #isOver: boolean
  /** Status and headers are held until a short body is complete, so that a failure can still become a refusal. */
  #heldStatus = 0
  #heldHeaders: ReplyHeaders | undefined
  /** Whether the answer has started and may end anywhere. */
  #isEndless = false
  /** Whether the last piece sent ends an event. */
  #endsEvent = false
  #closeListeners: (() => void)[] = []
  /** Whether status and headers are written, and wait for what they go out with. */
  #owesHead = false
  /** What is written at the end of this turn, or before anything else is. */
  #pieces: Uint8Array[] = []
  #pieceBytes = 0
  /** Whether there is something to do at the end of this turn. */
  #isWaiting = false
  /** Bytes of the whole answer; NaN where they are not known. */
  #answerBytes = Number.NaN

  constructor(owner: ReplyOwner) {
    this.#owner = owner
    this.#response = owner.response
    // The client may have gone while its token was verified: then `close` was emitted before there was a listener.
    this.#isOver = owner.response.destroyed
    owner.response.on('close', () => this.#onClosed())
  }

  start(status: number, headers: ReplyHeaders): void {
    if (this.#isOver) return
    this.#owner.beforeStart(headers)
    this.#heldStatus = status
    this.#heldHeaders = headers
    if (!comesInOnePiece(headers)) {
      this.#sendHead()
      this.#waitForEndOfTurn()
      this.#owner.onFlush()
    }
    this.#owner.afterStart(headers)
  }

  write(chunk: Uint8Array, release?: () => void): boolean {
    if (this.#isOver) return false
    this.#sendHead()
    if (this.#isEndless) this.#endsEvent = endsEvent(chunk)
    return chunk.length < MAX_JOINED_BYTES ? this.#join(chunk) : this.#pass(chunk, release)
  }

  end(): void {
    if (this.#isOver) return
    this.#sendHead()
    this.#isOver = true
    this.#closeListeners = []
    this.#endWithPieces()
  }

  fail(error: ProxyError): void {
    if (this.#isOver) return
    if (this.#response.headersSent) {
      this.#owner.onFailure(error)
      this.#flush()
      cutAnswer(this.#response)
    } else this.#owner.refuse(error)
    this.#finish()
  }

  report(error: ProxyError): void {
    if (!this.#isOver) this.#owner.onFailure(error)
  }

  /**
   * Ends a stream cleanly from our side, and tells the upstream that the client is gone.
   *
   * @param reason - the failure of any other answer, or of a stream that has not started: a clean end would make it look complete
   */
  close(reason: ProxyError): void {
    if (!this.#isEndless) return this.fail(reason)
    if (this.#isOver) return
    this.#writePieces()
    this.#response.end(this.#endsEvent ? this.#owner.farewell : undefined)
    this.#finish()
  }

  /** Whether it is an event stream whose last piece ended an event, so that another may come in between. */
  get isBetweenEvents(): boolean {
    return this.#isEndless && !this.#isOver && this.#endsEvent
  }

  onDrain(listener: () => void): void {
    this.#response.on('drain', listener)
  }

  onDone(listener: () => void): void {
    if (this.#response.closed) listener()
    else this.#response.once('close', listener)
  }

  onClose(listener: () => void): void {
    if (this.#isOver) listener()
    else this.#closeListeners.push(listener)
  }

  /**
   * Each write costs a call of the system, and servers that flush every event send them faster than they can be read one by one: what has
   * arrived by the end of this turn goes out in one chunk, with status and headers if they came in it, too. Nothing waits longer than that.
   */
  #join(chunk: Uint8Array): boolean {
    // What is all of the answer goes out with its end, which follows at once.
    if (chunk.length !== this.#answerBytes) this.#waitForEndOfTurn()
    if (chunk.length > 0) this.#pieces.push(chunk)
    this.#pieceBytes += chunk.length
    if (this.#pieceBytes >= MAX_JOINED_BYTES) this.#writePieces()
    return !this.#response.writableNeedDrain
  }

  #waitForEndOfTurn(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    setImmediate(flushAtEndOfTurn, this)
  }

  /** Node writes it together with what was held, and without a copy. */
  #pass(chunk: Uint8Array, release: (() => void) | undefined): boolean {
    this.#writePieces()
    this.#owesHead = false
    if (release === undefined) return this.#response.write(chunk)
    return this.#response.write(chunk, (error) => {
      if (error === undefined || error === null) release()
    })
  }

  #endWithPieces(): void {
    const joined = this.#takePieces()
    if (joined === undefined) this.#response.end()
    else endJoined(this.#response, joined, this.#owesHead)
  }

  static {
    flushAtEndOfTurn = (reply) => {
      reply.#isWaiting = false
      if (!reply.#isOver) reply.#flush()
    }
  }

  /** Node would hold it for the end of this tick, which costs as much again, and let go of it where the connection is cut. */
  #flush(): void {
    const { socket } = this.#response
    socket?.cork()
    this.#writePieces()
    // `flushHeaders` would encode the values as UTF-8 and change other bytes.
    if (this.#owesHead) this.#response.write('', 'latin1')
    this.#owesHead = false
    socket?.uncork()
  }

  #writePieces(): void {
    const joined = this.#takePieces()
    if (joined === undefined) return
    this.#owesHead = false
    writeJoined(this.#response, joined)
  }

  #takePieces(): JoinedPieces | undefined {
    const bytes = this.#pieceBytes
    if (bytes === 0) return undefined
    const pieces = this.#pieces
    this.#pieces = []
    this.#pieceBytes = 0
    return { pieces, bytes }
  }

  #sendHead(): void {
    const headers = this.#heldHeaders
    if (headers === undefined) return
    this.#heldHeaders = undefined
    this.#response.writeHead(this.#heldStatus, mergeHeaders(headers, this.#owner))
    this.#owesHead = true
    this.#answerBytes = Number(headers['content-length'])
    this.#isEndless = this.#owner.mayEndAnywhere(headers)
    this.#endsEvent = this.#isEndless
  }

  #finish(): void {
    this.#isOver = true
    const listeners = this.#closeListeners
    this.#closeListeners = []
    for (const listener of listeners) listener()
  }

  #onClosed(): void {
    if (!this.#isOver) this.#finish()
  }
}

/** Our headers replace the upstream's; `Vary` is merged. */
function mergeHeaders(headers: ReplyHeaders, { answerHeaders: own, requestId }: ReplyOwner): string[] {
  const merged: string[] = ['x-request-id', requestId]
  if (Object.keys(own).length === 0) {
    for (const name in headers) addField(merged, name, headers[name])
    return merged
  }
  const vary = headers.vary !== undefined && own.vary !== undefined ? [headers.vary, own.vary].flat().join(', ') : undefined
  for (const name in headers) if (!Object.hasOwn(own, name)) addField(merged, name, headers[name])
  for (const name in own) addField(merged, name, name === 'vary' ? (vary ?? own.vary) : own[name])
  return merged
}

/** Alternating names and values, which Node writes without looking at them twice. */
function addField(fields: string[], name: string, value: string | string[] | undefined): void {
  if (typeof value === 'string') fields.push(name, value)
  else for (const each of value ?? []) fields.push(name, each)
}

const LF = 0x0a
const CR = 0x0d

/** Whether the piece ends with a blank line; false if it is too short to know. */
function endsEvent(chunk: Uint8Array): boolean {
  const end = chunk.length
  const last = chunk[end - 1]
  const before = chunk[end - 2]
  if (last === LF && before === CR) return chunk[end - 3] === LF
  return (last === LF || last === CR) && before === last
}

function comesInOnePiece(headers: ReplyHeaders): boolean {
  const length = headers['content-length']
  return typeof length === 'string' && Number(length) <= MAX_DEFERRED_BYTES
}

/** Never a clean end: half an answer must not look like a whole one. */
export function cutAnswer(response: ServerResponse): void {
  const { socket } = response
  // In HTTP/1.0 the end of the connection ends the answer, unless it is a reset. TLS signals its own end, which is not sent.
  if (response.req.httpVersion === '1.0' && socket && !('encrypted' in socket)) socket.resetAndDestroy()
  else response.destroy()
}

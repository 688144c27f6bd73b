import { ProxyError, toProxyError } from '../../core/errors.ts'
import { editBytes } from '../../core/json/json-edits.ts'
import { PassingReply } from '../../core/passing-reply.ts'
import type { Reply, ReplyHeaders } from '../../core/reply.ts'
import { isEventStream } from '../endpoint-event.ts'
import { beginsLikeMessage, decodeAnswer } from './decode-answer.ts'
import { filterEvent } from './filter-event.ts'
import { findHidden, type Visibility } from './filter-messages.ts'
import { FREE_BYTES, HeldBytes, type MemoryHolder } from './held-bytes.ts'
import { createEventSplitter } from './split-events.ts'

export interface AnswerFilterOptions extends Visibility, MemoryHolder {
  /** Whether a success answers a JSON-RPC request, so that it must be a message. */
  readonly awaitsMessage: boolean
}

/** What becomes of an answer's body. */
interface Passage {
  write(chunk: Buffer): boolean
  end(): void
  /** Lets go of what is held. */
  drop(): void
}

/** Headers about bytes that are not those of the answer any more. */
const ABOUT_THE_BYTES = ['content-digest', 'content-md5', 'digest', 'etag', 'last-modified', 'repr-digest'] as const

/**
 * The reply to a principal that may not use all that the server lists. Events pass one by one, when they are complete; any other answer is
 * held until it is, and refused where it cannot be filtered. What is encoded cannot. A class, since every answer of a server may pass here.
 */
export class AnswerFilter extends PassingReply {
  readonly #options: AnswerFilterOptions
  #passage: Passage | undefined
  #isOver = false

  /** @param reply - where the filtered answer goes */
  constructor(reply: Reply, options: AnswerFilterOptions) {
    super(reply)
    this.#options = options
    reply.onClose(() => this.#finish())
  }

  override start(status: number, headers: ReplyHeaders): void {
    if (this.#isOver) return
    try {
      this.#passage = open(this.reply, { status, headers, options: this.#options })
    } catch (error) {
      this.fail(toProxyError(error))
    }
  }

  override write(chunk: Uint8Array): boolean {
    if (this.#isOver) return false
    try {
      return this.#passage?.write(toBuffer(chunk)) ?? true
    } catch (error) {
      this.fail(toProxyError(error))
      return false
    }
  }

  override end(): void {
    if (this.#isOver) return
    try {
      this.#passage?.end()
      this.#finish()
    } catch (error) {
      this.fail(toProxyError(error))
    }
  }

  override fail(error: ProxyError): void {
    if (this.#isOver) return
    this.#finish()
    this.reply.fail(error)
  }

  #finish(): void {
    this.#isOver = true
    this.#passage?.drop()
  }
}

function toBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}

/** An answer that begins. */
interface Beginning {
  readonly status: number
  readonly headers: ReplyHeaders
  readonly options: AnswerFilterOptions
}

function open(reply: Reply, beginning: Beginning): Passage {
  const { status, headers, options } = beginning
  if (isWithoutBody(status, headers)) return passWithoutBody(reply, status, headers)
  checkReadable(status, headers)
  if (!isEventStream(headers)) return new WholeAnswer(reply, beginning)
  if (headers['content-length'] !== undefined) delete headers['content-length']
  reply.start(status, headers)
  return passEvents(reply, options)
}

function isWithoutBody(status: number, headers: ReplyHeaders): boolean {
  return status === 204 || status === 304 || headers['content-length'] === '0'
}

function passWithoutBody(reply: Reply, status: number, headers: ReplyHeaders): Passage {
  reply.start(status, headers)
  return {
    write() {
      throw refuse('a body where there is none')
    },
    end: () => reply.end(),
    drop() {},
  }
}

/** A charset, a coding or a part of the body makes something else of the bytes than what we would look at. */
function checkReadable(status: number, headers: ReplyHeaders): void {
  if (headers['content-encoding'] !== undefined) throw refuse('a content encoding')
  if (status === 206) throw refuse('a part of an answer')
  const type = headers['content-type'] ?? ''
  if (typeof type !== 'string') throw refuse('two content types')
  if (/charset\s*=(?!\s*"?utf-?8"?\s*(?:;|$))/i.test(type)) throw refuse('another charset than UTF-8')
  if (/event-stream/i.test(type) && (!isEventStream(headers) || /json/i.test(type)))
    throw refuse('a content type that may be an event stream or not')
}

function passEvents(reply: Reply, options: AnswerFilterOptions): Passage {
  const held = new HeldBytes(options)
  const split = createEventSplitter(held)
  let isDropped = false
  let isFirst = true
  const filterPiece = (piece: Buffer): Buffer[] => {
    // A line feed that comes alone belongs to the line end before it.
    if (isDropped && piece.length === 1) return []
    const kept = filterEvent(piece, options, isFirst)
    isFirst = false
    isDropped = kept === undefined
    return kept === undefined ? [] : [kept]
  }
  const filter = (pieces: readonly Buffer[]): boolean => {
    const kept = pieces.flatMap(filterPiece)
    if (kept.length === 0) return true
    return reply.write(kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept))
  }
  return {
    write: (chunk) => filter(split(chunk)),
    end() {
      // A reader may take an event for complete that lacks its blank line.
      if (held.length > 0) filter([held.take()])
      reply.end()
    },
    drop: () => void held.take(),
  }
}

/** An answer that is held until it is complete. */
class WholeAnswer implements Passage {
  readonly #reply: Reply
  readonly #beginning: Beginning
  /** A short answer comes in one piece, which is not copied. */
  #only: Buffer | undefined
  /** Made for answers that come in several pieces, or in a long one. */
  #held: HeldBytes | undefined

  constructor(reply: Reply, beginning: Beginning) {
    this.#reply = reply
    this.#beginning = beginning
  }

  write(chunk: Buffer): boolean {
    if (this.#only === undefined && this.#held === undefined && chunk.length <= FREE_BYTES) {
      this.#only = chunk
      return true
    }
    this.#held ??= new HeldBytes(this.#beginning.options)
    if (this.#only !== undefined) this.#held.add(this.#only)
    this.#only = undefined
    this.#held.add(chunk)
    return true
  }

  end(): void {
    const { status, headers, options } = this.#beginning
    const bytes = this.#only ?? this.#held?.take() ?? NOTHING
    const filtered = filterBody(bytes, status, options)
    if (filtered !== bytes) for (const name of ABOUT_THE_BYTES) delete headers[name]
    headers['content-length'] = String(filtered.length)
    this.#reply.start(status, headers)
    if (filtered.length > 0) this.#reply.write(filtered)
    this.#reply.end()
  }

  drop(): void {
    this.#only = undefined
    this.#held?.take()
  }
}

const NOTHING = Buffer.alloc(0)

function filterBody(bytes: Buffer, status: number, options: AnswerFilterOptions): Buffer {
  if (bytes.length === 0) return bytes
  const isSuccess = status < 300
  if (!(isSuccess && options.awaitsMessage) && !looksLikeMessage(bytes, isSuccess)) return bytes
  const text = decodeAnswer(bytes)
  const edits = findHidden(text, options)
  if (edits === undefined) throw refuse('a notification instead of an answer')
  return edits.length === 0 ? bytes : editBytes(bytes, text, edits)
}

/** A body that says that it is something else than JSON is looked at all the same: readers may not mind what it says. */
function looksLikeMessage(bytes: Buffer, isSuccess: boolean): boolean {
  const text = bytes.toString()
  if (beginsLikeMessage(text)) return true
  if (isSuccess && MAY_BE_EVENT.test(text)) throw refuse('events of another content type')
  return false
}

/** Clients read events from whatever answers a GET: both SDKs do not look at its type. */
const MAY_BE_EVENT = /(?:^|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029])\ufeff?[ \t]*data/i

function refuse(what: string): ProxyError {
  return new ProxyError('answer_unfilterable', { cause: what })
}

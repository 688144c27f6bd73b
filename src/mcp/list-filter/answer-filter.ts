import { ProxyError, toProxyError } from '../../core/errors.ts'
import type { MemoryShare } from '../../core/held-memory.ts'
import type { Reply, ReplyHeaders } from '../../core/reply.ts'
import { isEventStream } from '../endpoint-event.ts'
import { decodeAnswer } from './decode-answer.ts'
import { filterEvent } from './filter-event.ts'
import { filterMessages, type Visibility } from './filter-messages.ts'
import { createHeldBytes, type HeldBytes } from './held-bytes.ts'
import { createEventSplitter } from './split-events.ts'

export interface AnswerFilterOptions extends Visibility {
  /** Takes what is held until it can be looked at. */
  readonly memory: MemoryShare
  /** Whether a success answers a JSON-RPC request, so that it must be a message. */
  readonly awaitsMessage: boolean
}

/** What becomes of an answer's body. */
interface Passage {
  write(chunk: Buffer): boolean
  end(): void
}

/** Headers about bytes that are not those of the answer any more. */
const ABOUT_THE_BYTES = ['content-digest', 'content-md5', 'digest', 'etag', 'last-modified', 'repr-digest'] as const

/**
 * Wraps the reply to a principal that may not use all that the server lists. Events pass one by one, when they are complete; any other
 * answer is held until it is, and refused where it cannot be filtered. What is encoded cannot.
 *
 * @param reply - where the filtered answer goes
 */
export function createAnswerFilter(reply: Reply, options: AnswerFilterOptions): Reply {
  const held = createHeldBytes(options.memory)
  let passage: Passage | undefined
  let isOver = false
  const finish = (): void => {
    isOver = true
    held.take()
  }
  const fail = (error: ProxyError): void => {
    if (isOver) return
    finish()
    reply.fail(error)
  }
  /** @returns what the step returns; false where it failed */
  const attempt = (step: () => boolean | undefined): boolean => {
    if (isOver) return false
    try {
      return step() ?? true
    } catch (error) {
      fail(toProxyError(error))
      return false
    }
  }
  reply.onClose(finish)

  return {
    start: (status, headers) =>
      void attempt(() => {
        passage = open(reply, held, { status, headers, options })
      }),
    write: (chunk) => attempt(() => passage?.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))),
    end: () =>
      void attempt(() => {
        passage?.end()
        finish()
      }),
    fail,
    report: (error) => reply.report(error),
    onDrain: (listener) => reply.onDrain(listener),
    onDone: (listener) => reply.onDone(listener),
    onClose: (listener) => reply.onClose(listener),
  }
}

/** An answer that begins. */
interface Beginning {
  readonly status: number
  readonly headers: ReplyHeaders
  readonly options: AnswerFilterOptions
}

function open(reply: Reply, held: HeldBytes, beginning: Beginning): Passage {
  const { status, headers, options } = beginning
  if (isWithoutBody(status, headers)) return passWithoutBody(reply, status, headers)
  checkReadable(status, headers)
  if (!isEventStream(headers)) return passWhole(reply, held, beginning)
  delete headers['content-length']
  reply.start(status, headers)
  return passEvents(reply, held, options)
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
  }
}

/** A charset, a coding or a part of the body makes something else of the bytes than what we would look at. */
function checkReadable(status: number, headers: ReplyHeaders): void {
  if (headers['content-encoding'] !== undefined) throw refuse('a content encoding')
  if (status === 206) throw refuse('a part of an answer')
  const type = headers['content-type'] ?? ''
  if (typeof type !== 'string') throw refuse('two content types')
  if (/charset\s*=(?!\s*"?utf-?8"?\s*(?:;|$))/i.test(type)) throw refuse('another charset than UTF-8')
  if (/event-stream/i.test(type) && !isEventStream(headers)) throw refuse('a content type that may be an event stream or not')
}

function passEvents(reply: Reply, held: HeldBytes, options: AnswerFilterOptions): Passage {
  const split = createEventSplitter(held)
  let isDropped = false
  const filterPiece = (piece: Buffer): Buffer[] => {
    // A line feed that comes alone belongs to the line end before it.
    if (isDropped && piece.length === 1) return []
    const kept = filterEvent(piece, options)
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
  }
}

function passWhole(reply: Reply, held: HeldBytes, { status, headers, options }: Beginning): Passage {
  return {
    write(chunk) {
      held.add(chunk)
      return true
    },
    end() {
      const bytes = held.take()
      const filtered = filterBody(bytes, status < 300 && options.awaitsMessage, options)
      if (filtered !== bytes) for (const name of ABOUT_THE_BYTES) delete headers[name]
      headers['content-length'] = String(filtered.length)
      reply.start(status, headers)
      if (filtered.length > 0) reply.write(filtered)
      reply.end()
    },
  }
}

function filterBody(bytes: Buffer, mustBeMessage: boolean, options: AnswerFilterOptions): Buffer {
  if (bytes.length === 0 || !(mustBeMessage || beginsLikeMessage(bytes))) return bytes
  const text = decodeAnswer(bytes)
  const filtered = filterMessages(text, options)
  if (filtered === undefined) throw refuse('a notification instead of an answer')
  return filtered === text ? bytes : Buffer.from(filtered)
}

const BYTE_ORDER_MARK = Buffer.from('\ufeff')
const SPACE = 0x20

/** A body that says that it is something else than JSON is looked at all the same: readers may not mind what it says. */
function beginsLikeMessage(bytes: Buffer): boolean {
  const hasMark = bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)
  let at = hasMark ? BYTE_ORDER_MARK.length : 0
  while ((bytes[at] ?? '{'.charCodeAt(0)) <= SPACE) at++
  return ['{', '['].includes(String.fromCharCode(bytes[at] ?? 0))
}

function refuse(what: string): ProxyError {
  return new ProxyError('answer_unfilterable', { cause: what })
}

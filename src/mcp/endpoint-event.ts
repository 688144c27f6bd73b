import { ProxyError, toProxyError } from '../core/errors.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'

/** The event that names the message endpoint must come first; no more than this is held while searching for it. */
const MAX_HELD_BYTES = 64 * 1024

/** A blank line after a line, with any of the three line endings (HTML, Server-sent events §9.2.5). */
const END_OF_EVENT = /(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))/g

/** Where lines end for some reader: those of the specification, and of Python's `splitlines`; the last three in the bytes of UTF-8. */
const ANY_LINE_END = '(?:[\\r\\n\\v\\f\\x1c-\\x1e]|\\xc2\\x85|\\xe2\\x80[\\xa8\\xa9])'
/** An expression for the first characters of a word, or for all of them and the rest. */
function begin(word: string, rest: string): string {
  return [...word].reduceRight((behind, character) => `(?:${character}${behind})?`, rest)
}

/** Some readers trim names and values, and do not mind case. */
const BLANKS = '[ \\t\\0]*'
const ENDPOINT_LINE = new RegExp(`${ANY_LINE_END}${BLANKS}event${BLANKS}:${BLANKS}endpoint${BLANKS}${ANY_LINE_END}`, 'i')
/** The beginning of such a line, at the end of a piece. */
const BEGUN_LINE = new RegExp(
  `${ANY_LINE_END}${BLANKS}${begin('event', `${BLANKS}(?::${BLANKS}${begin('endpoint', BLANKS)})?`)}(?:\\xc2|\\xe2\\x80?)?$`,
  'i',
)
/** One counts like many. A line may be nothing else for megabytes. */
const MANY_BLANKS = /[ \t\0]+/g
/** All but the last byte of a line end. */
const BEGUN_LINE_END = 2

/**
 * Wraps the reply of an HTTP+SSE stream so that its `endpoint` event names our message endpoint instead of the upstream's
 * (2024-11-05, basic/transports, HTTP with SSE: "the server MUST send an `endpoint` event containing a URI"). Everything behind that
 * event passes byte for byte. A second `endpoint` event would move the client elsewhere, so it cuts the stream.
 *
 * @param reply - where the rewritten stream goes
 * @param rewrite - the upstream's URI → ours; throws ProxyError when the client must not follow it
 */
export function createEndpointRewriter(reply: Reply, rewrite: (uri: string) => string): Reply {
  let stage: Stage | undefined
  const searchOn = (): void => {
    stage = createSearch(reply, rewrite, () => {
      stage = createWatch(reply)
      return stage
    })
  }
  return {
    start(status, headers) {
      if (mayBeEventStream(status, headers)) {
        if (headers['content-encoding'] !== undefined) return reply.fail(refuse('an encoded event stream'))
        delete headers['content-length']
        searchOn()
      }
      reply.start(status, headers)
    },
    write(chunk) {
      try {
        return stage === undefined ? reply.write(chunk) : stage.write(chunk)
      } catch (error) {
        reply.fail(toProxyError(error))
        return false
      }
    },
    end() {
      if (stage?.isSearching === true) reply.fail(refuse('the stream ended before its endpoint event'))
      else reply.end()
    },
    fail: (error) => reply.fail(error),
    report: (error) => reply.report(error),
    onDrain: (listener) => reply.onDrain(listener),
    onDone: (listener) => reply.onDone(listener),
    onClose: (listener) => reply.onClose(listener),
  }
}

/** What is done with the bytes of a stream, before its endpoint event or after it. */
interface Stage {
  readonly isSearching: boolean
  /** @throws ProxyError when the client must not go on with the stream */
  write(chunk: Uint8Array): boolean
}

/** Holds what comes until the endpoint event is complete, and rewrites it. */
function createSearch(reply: Reply, rewrite: (uri: string) => string, watchRest: () => Stage): Stage {
  const gather = createGatherer()
  const isOther = createEndpointWatcher()
  const pass = (before: Buffer, uri: string, rest: Buffer): boolean => {
    const isFlowing = reply.write(Buffer.concat([before, Buffer.from(`event: endpoint\ndata: ${rewrite(uri)}\n\n`)]))
    const stage = watchRest()
    return (rest.length === 0 || stage.write(rest)) && isFlowing
  }
  return {
    isSearching: true,
    write(chunk) {
      const bytes = gather(chunk)
      if (bytes === undefined) return true
      let passed = 0
      for (const { end, name, data } of splitEvents(bytes)) {
        if (name === 'endpoint') return pass(bytes.subarray(0, passed), data ?? '', bytes.subarray(end))
        // Comments may come before it; an event with content may not.
        if (data !== undefined || isOther(bytes.subarray(passed, end))) throw refuse('the first event is not the endpoint event')
        passed = end
      }
      gather(bytes.subarray(passed))
      return passed === 0 || reply.write(bytes.subarray(0, passed))
    },
  }
}

/** Passes all that follows, until another endpoint event would move the client elsewhere. */
function createWatch(reply: Reply): Stage {
  const isSecond = createEndpointWatcher()
  return {
    isSearching: false,
    write(chunk) {
      if (isSecond(chunk)) throw refuse('a second endpoint event')
      return reply.write(chunk)
    },
  }
}

/**
 * Holds the stream until an event is complete. Only new bytes are scanned: otherwise a stream in single bytes would be scanned again for each.
 *
 * @returns all that is held, once an event may have ended in it
 */
function createGatherer(): (chunk: Uint8Array) => Buffer | undefined {
  let held = Buffer.alloc(0)
  let length = 0
  let tail = ''
  return (chunk) => {
    if (length + chunk.length > held.length) held = Buffer.concat([held.subarray(0, length)], 2 * (length + chunk.length))
    held.set(chunk, length)
    length += chunk.length
    const seen = tail + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1')
    // The longest blank line has four characters.
    tail = seen.slice(-3)
    if (seen.search(END_OF_EVENT) >= 0) {
      const bytes = held.subarray(0, length)
      held = Buffer.alloc(0)
      length = 0
      tail = ''
      return bytes
    }
    if (length > MAX_HELD_BYTES) throw refuse('no endpoint event at the beginning of the stream')
    return undefined
  }
}

interface StreamEvent {
  /** Index after the event. */
  readonly end: number
  readonly name: string
  /** Undefined for an event that is only comments. */
  readonly data: string | undefined
}

/** Every complete event. Latin-1 keeps one character a byte, so that indexes in the text are indexes in the bytes. */
function* splitEvents(bytes: Buffer): Generator<StreamEvent> {
  const text = bytes.toString('latin1')
  let start = 0
  if (!KNOWN_FIELD.test(text)) return yield* joinEvents(text)
  for (const { 0: blank, index } of text.matchAll(END_OF_EVENT)) {
    const end = index + blank.length
    yield { end, ...readFields(text.slice(start, index)) }
    start = end
  }
}

/** Fields that are read here. Some readers do not mind case. */
const KNOWN_FIELD = /event|data/i

/** All complete events as one, where none has a field that is read: a chunk has room for many comments and blank lines. */
function* joinEvents(text: string): Generator<StreamEvent> {
  let end = 0
  for (const { 0: blank, index } of text.matchAll(END_OF_EVENT)) end = index + blank.length
  if (end > 0) yield { end, name: '', data: undefined }
}

/** Fields of one event: a field's value begins after the colon and one optional space (HTML, Server-sent events §9.2.6). */
function readFields(event: string): { name: string; data: string | undefined } {
  let name = ''
  let data: string | undefined
  for (const line of event.replace(/^\u00ef\u00bb\u00bf/, '').split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') name = value
    if (field === 'data') data = data === undefined ? value : `${data}\n${value}`
  }
  return { name, data }
}

/** Finds out whether some reader would find an `endpoint` event in the bytes seen so far, across chunks. */
function createEndpointWatcher(): (chunk: Uint8Array) => boolean {
  let tail = '\n'
  return (chunk) => {
    const seen = tail + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1')
    tail = BEGUN_LINE.exec(seen)?.[0].replaceAll(MANY_BLANKS, ' ') ?? seen.slice(-BEGUN_LINE_END)
    return ENDPOINT_LINE.test(seen)
  }
}

/**
 * Where the upstream wants messages. It must be on the upstream's own origin, at any path: otherwise an upstream could make us send a
 * caller's messages, and its own credential, anywhere.
 *
 * @param uri - data of the `endpoint` event
 * @param streamUrl - URL of the stream on the upstream
 * @returns path and query on the upstream
 * @throws ProxyError `upstream_invalid_response`
 */
export function checkEndpoint(uri: string, streamUrl: string): string {
  if (!/^[\x21-\x7e]+$/.test(uri) || uri.includes('\\')) throw refuse('the endpoint event holds no usable URI')
  const url = URL.canParse(uri, streamUrl) ? new URL(uri, streamUrl) : undefined
  if (!url || url.origin !== new URL(streamUrl).origin) throw refuse('the endpoint event leads to another origin')
  if (url.username || url.password) throw refuse('the endpoint event holds credentials')
  return url.pathname + url.search
}

/** Whether any client might read events here: some search for the media type anywhere in the field, and accept every successful status. */
function mayBeEventStream(status: number, headers: ReplyHeaders): boolean {
  return status < 300 && /event-stream/i.test([headers['content-type']].flat().join())
}

/** Whether the response is an event stream. */
export function isEventStream(headers: ReplyHeaders): boolean {
  const type = headers['content-type']
  // Most answers are plain JSON.
  return typeof type === 'string' && type !== 'application/json' && /^text\/event-stream\s*(;|$)/i.test(type)
}

function refuse(what: string): ProxyError {
  return new ProxyError('upstream_invalid_response', { reason: 'endpoint_event_invalid', cause: what })
}

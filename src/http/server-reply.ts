import type { ServerResponse } from 'node:http'
import { ProxyError } from '../core/errors.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'

/** A body of this size or less arrives with its headers in one piece; with anything else the headers go ahead at once. */
const maxDeferredBytes = 64 * 1024

interface ServerReplyOptions {
  /** Headers that every answer of this request carries. */
  readonly headers: ReplyHeaders
  /** Answers a failure that came before anything was sent. */
  readonly refuse: (error: ProxyError) => void
  /** Hears of a failure that came after it, when nothing but cutting the connection is left. */
  readonly onCut: (error: ProxyError) => void
  /** Hears when status and headers go ahead of the body. */
  readonly onFlush: () => void
  /** Milliseconds that the client may take nothing while something waits for it. */
  readonly stallMilliseconds: number
}

/** The outermost Reply. */
export interface ServerReply extends Reply {
  /** Ends a stream cleanly from our side, and tells the upstream that nobody listens any more. */
  close(): void
}

/** Writes to the client's socket. */
export function createServerReply(response: ServerResponse, options: ServerReplyOptions): ServerReply {
  // The client may have gone while its token was verified: then `close` was heard by nobody here.
  let over = response.destroyed
  const closeListeners: (() => void)[] = []
  const head = createHead(response, options)
  const watchStall = createStallWatch(response, options.stallMilliseconds)

  const finish = (): void => {
    over = true
    for (const listener of closeListeners.splice(0)) listener()
  }
  const fail = (error: ProxyError): void => {
    if (over) return
    if (response.headersSent) {
      options.onCut(error)
      cutAnswer(response)
    } else options.refuse(error)
    finish()
  }
  response.on('close', () => {
    if (!over) finish()
  })

  return {
    start(status, headers) {
      if (!over) head.start(status, headers)
    },
    write(chunk) {
      if (over) return false
      head.send()
      const flowing = response.write(chunk)
      if (!flowing) watchStall()
      return flowing
    },
    end() {
      if (over) return
      head.send()
      over = true
      closeListeners.length = 0
      response.end()
    },
    fail,
    close() {
      // What isn't a stream that has begun would be taken for a whole answer.
      if (!head.isEndless()) return fail(new ProxyError('shutting_down', { retryAfter: 1 }))
      if (over) return
      response.end()
      finish()
    },
    onDrain: (listener) => void response.on('drain', listener),
    onClose(listener) {
      if (over) listener()
      else closeListeners.push(listener)
    },
  }
}

/** Status and headers wait for a short body, and so can still become a refusal when that doesn't come. */
function createHead(response: ServerResponse, options: ServerReplyOptions) {
  let held: { readonly status: number; readonly headers: ReplyHeaders } | undefined
  let endless = false
  const send = (): void => {
    if (held === undefined) return
    const { status, headers } = held
    held = undefined
    response.writeHead(status, mergeHeaders(headers, options.headers))
    endless = headers['content-length'] === undefined
  }
  return {
    send,
    /** Whether the answer has begun and may end anywhere. */
    isEndless: (): boolean => endless,
    start(status: number, headers: ReplyHeaders): void {
      held = { status, headers }
      if (comesInOnePiece(headers)) return
      send()
      // `flushHeaders` would encode the values as UTF-8, whatever bytes they were.
      response.write('', 'latin1')
      options.onFlush()
    },
  }
}

/** Ours replace the upstream's, but an answer varies by what both of us say. */
function mergeHeaders(headers: ReplyHeaders, own: ReplyHeaders): string[] {
  const vary = headers.vary !== undefined && own.vary !== undefined ? [headers.vary, own.vary].flat().join(', ') : undefined
  const merged: string[] = []
  for (const name in headers) if (!Object.hasOwn(own, name)) addField(merged, name, headers[name])
  for (const name in own) addField(merged, name, name === 'vary' ? (vary ?? own.vary) : own[name])
  return merged
}

/** Alternating names and values, which Node writes without looking at them twice. */
function addField(fields: string[], name: string, value: string | string[] | undefined): void {
  if (typeof value === 'string') fields.push(name, value)
  else for (const each of value ?? []) fields.push(name, each)
}

function comesInOnePiece(headers: ReplyHeaders): boolean {
  const length = headers['content-length']
  return typeof length === 'string' && Number(length) <= maxDeferredBytes
}

/** Cuts the connection when the client takes nothing for too long. Returns what begins the waiting. */
function createStallWatch(response: ServerResponse, milliseconds: number): () => void {
  let timer: NodeJS.Timeout | undefined
  const stop = (): void => {
    clearTimeout(timer)
    timer = undefined
    response.off('drain', stop).off('close', stop)
  }
  return () => {
    if (timer !== undefined) return
    timer = setTimeout(() => cutAnswer(response), milliseconds)
    response.on('drain', stop).on('close', stop)
  }
}

/** Never a clean end: half an answer must not look like a whole one. */
export function cutAnswer(response: ServerResponse): void {
  const { socket } = response
  // To HTTP/1.0 the end of the connection is the end of the answer, if it is no reset. TLS has an end of its own, which is left out.
  if (response.req.httpVersion === '1.0' && socket && !('encrypted' in socket)) socket.resetAndDestroy()
  else response.destroy()
}

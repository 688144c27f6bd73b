import type { ServerResponse } from 'node:http'
import type { ProxyError } from '../core/errors.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'

/** A body of this size or less arrives with its headers in one piece; with anything else the headers go ahead at once. */
const maxDeferredBytes = 64 * 1024

interface ServerReplyOptions {
  /** Headers that every answer of this request carries. */
  readonly headers: ReplyHeaders
  /** Answers a failure that came before `start`. */
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
  let over = false
  let stall: NodeJS.Timeout | undefined
  const closeListeners: (() => void)[] = []

  const finish = (): void => {
    over = true
    clearTimeout(stall)
    for (const listener of closeListeners.splice(0)) listener()
  }
  response.on('close', () => {
    if (!over) finish()
    clearTimeout(stall)
  })
  const watchStall = (): void => {
    if (stall !== undefined) return
    stall = setTimeout(() => response.destroy(), options.stallMilliseconds)
    response.once('drain', () => {
      clearTimeout(stall)
      stall = undefined
    })
  }

  return {
    start(status, headers) {
      if (over) return
      response.writeHead(status, { ...headers, ...options.headers })
      if (comesInOnePiece(headers)) return
      response.flushHeaders()
      options.onFlush()
    },
    write(chunk) {
      if (over) return false
      const flowing = response.write(chunk)
      if (!flowing) watchStall()
      return flowing
    },
    end() {
      if (over) return
      over = true
      closeListeners.length = 0
      response.end()
    },
    fail(error) {
      if (over) return
      if (response.headersSent) {
        options.onCut(error)
        // Never a clean end: half an answer must not look like a whole one.
        response.destroy()
      } else options.refuse(error)
      finish()
    },
    close() {
      if (over) return
      response.end()
      finish()
    },
    onDrain(listener) {
      response.on('drain', listener)
    },
    onClose(listener) {
      if (over) listener()
      else closeListeners.push(listener)
    },
  }
}

function comesInOnePiece(headers: ReplyHeaders): boolean {
  const length = headers['content-length']
  return typeof length === 'string' && Number(length) <= maxDeferredBytes
}

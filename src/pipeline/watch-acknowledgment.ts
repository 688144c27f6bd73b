import type { Reply } from '../core/reply.ts'
import type { AcknowledgmentReader } from '../mcp/acknowledged-lists.ts'

/** Reads along what the MCP server acknowledges. Everything passes as it comes. */
export function watchAcknowledgment(reply: Reply, reader: AcknowledgmentReader): Reply {
  return {
    start: (status, headers) => reply.start(status, headers),
    write(chunk) {
      reader.read(chunk)
      return reply.write(chunk)
    },
    end: () => reply.end(),
    fail: (error) => reply.fail(error),
    report: (error) => reply.report(error),
    onDrain: (listener) => reply.onDrain(listener),
    onDone: (listener) => reply.onDone(listener),
    onClose: (listener) => reply.onClose(listener),
  }
}

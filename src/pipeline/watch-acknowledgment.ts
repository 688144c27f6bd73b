import { PassingReply } from '../core/passing-reply.ts'
import type { Reply } from '../core/reply.ts'
import type { AcknowledgmentReader } from '../mcp/acknowledged-lists.ts'

/** Reads along what the MCP server acknowledges. Everything passes as it comes. */
export function watchAcknowledgment(reply: Reply, reader: AcknowledgmentReader): Reply {
  return new WatchedReply(reply, reader)
}

class WatchedReply extends PassingReply {
  readonly #reader: AcknowledgmentReader

  constructor(reply: Reply, reader: AcknowledgmentReader) {
    super(reply)
    this.#reader = reader
  }

  override write(chunk: Uint8Array): boolean {
    this.#reader.read(chunk)
    return super.write(chunk)
  }
}

import { PassingReply } from '../core/passing-reply.ts'
import type { Reply } from '../core/reply.ts'
import type { ListsReader } from '../mcp/changing-lists.ts'

/** Reads along what the MCP server writes. Everything passes as it comes. */
export class ReadAlong extends PassingReply {
  readonly #reader: ListsReader

  constructor(reply: Reply, reader: ListsReader) {
    super(reply)
    this.#reader = reader
  }

  override write(chunk: Uint8Array): boolean {
    this.#reader.read(chunk)
    return super.write(chunk)
  }
}

import type { MemoryShare } from '../core/held-memory.ts'
import { isObject } from '../core/is-object.ts'
import { createHeldBytes } from './list-filter/held-bytes.ts'
import { createEventSplitter } from './list-filter/split-events.ts'

/** Longest beginning of a stream that is looked at. */
const MAX_LENGTH = 64 * 1024
/** It is less than the buffers of a connection. */
const unaccounted: MemoryShare = { take: () => true, give: () => undefined }
const MEMBERS = { toolsListChanged: 'tools', promptsListChanged: 'prompts', resourcesListChanged: 'resources' } as const

/** Lists about whose changes a subscription tells. */
export type AcknowledgedList = (typeof MEMBERS)[keyof typeof MEMBERS]

/** Reads what a server has agreed to tell of, from the first event of a subscription (2026-07-28, subscriptions, Acknowledgment). */
export interface AcknowledgmentReader {
  read(chunk: Uint8Array): void
  /** Empty until the acknowledgment has come. */
  readonly lists: readonly AcknowledgedList[]
}

export function createAcknowledgmentReader(): AcknowledgmentReader {
  // Each byte is looked at once: a server may send its stream in single bytes.
  let split: ReturnType<typeof createEventSplitter> | undefined = createEventSplitter(createHeldBytes(unaccounted))
  let left = MAX_LENGTH
  let lists: readonly AcknowledgedList[] = []
  return {
    get lists() {
      return lists
    },
    read(chunk) {
      if (split === undefined) return
      const events = split(Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.length, left)))
      const message = events.map(readData).find((data) => data !== undefined)
      left -= chunk.length
      if (message !== undefined) lists = findLists(message)
      if (message !== undefined || left <= 0) split = undefined
    },
  }
}

/** The data of an event; undefined where it has none (HTML, Server-sent events §9.2.6). */
function readData(event: Buffer): string | undefined {
  const lines = event
    .toString()
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith('data:'))
  return lines.length === 0 ? undefined : lines.map((line) => line.slice('data:'.length)).join('\n')
}

function findLists(text: string): AcknowledgedList[] {
  const message = parse(text)
  if (!isObject(message) || message.method !== 'notifications/subscriptions/acknowledged' || !isObject(message.params)) return []
  const { notifications } = message.params
  return isObject(notifications)
    ? Object.entries(MEMBERS).flatMap(([member, list]) => (notifications[member] === true ? [list] : []))
    : []
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The notification, as an event of the subscription. @param id - of the request that opened it, in JSON */
export function formatListChanged(list: AcknowledgedList, id: string): string {
  const meta = `{"io.modelcontextprotocol/subscriptionId":${id}}`
  return `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/${list}/list_changed","params":{"_meta":${meta}}}\n\n`
}

import { isObject } from '../core/is-object.ts'

/** Longest beginning of a stream that is looked at. */
const MAX_LENGTH = 64 * 1024
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
  let beginning: string | undefined = ''
  let lists: readonly AcknowledgedList[] = []
  return {
    get lists() {
      return lists
    },
    read(chunk) {
      if (beginning === undefined) return
      beginning += Buffer.from(chunk).toString('latin1')
      const found = /^data:(.*)\r?\n\r?\n/m.exec(beginning)
      if (found?.[1] !== undefined) lists = findLists(Buffer.from(found[1], 'latin1').toString())
      if (found !== null || beginning.length > MAX_LENGTH) beginning = undefined
    },
  }
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

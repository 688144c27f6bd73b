import type { ChangingList } from '../core/declared-capabilities.ts'
import { isObject } from '../core/is-object.ts'
import { BeginningReader, parseMessage } from './stream-beginning.ts'

/** Reads of which lists an event stream is to tell that they have changed. */
export type ListsReader = BeginningReader<readonly ChangingList[]>

const LISTS: readonly ChangingList[] = ['tools', 'prompts', 'resources']
const ACKNOWLEDGED = { tools: 'toolsListChanged', prompts: 'promptsListChanged', resources: 'resourcesListChanged' } as const

/** Reads what a server has agreed to tell of, from the first message of a subscription (2026-07-28, subscriptions, Acknowledgment). */
export function createAcknowledgmentReader(): ListsReader {
  return new BeginningReader((text) => findAcknowledged(parseMessage(text)))
}

/** Reads what a server has declared, from the first answer to `initialize` on a stream. */
export function createDeclarationReader(): ListsReader {
  return new BeginningReader(findDeclaredLists)
}

function findAcknowledged(message: unknown): ChangingList[] {
  if (!isObject(message) || message.method !== 'notifications/subscriptions/acknowledged' || !isObject(message.params)) return []
  const { notifications } = message.params
  return isObject(notifications) ? LISTS.filter((list) => notifications[ACKNOWLEDGED[list]] === true) : []
}

/**
 * The lists for which a server declares `listChanged` (2025-11-25, basic/lifecycle, Capability Negotiation).
 *
 * @param text - a message
 * @returns undefined where it is no answer to `initialize`
 */
export function findDeclaredLists(text: string): ChangingList[] | undefined {
  const message = parseMessage(text)
  if (!isObject(message) || !isObject(message.result)) return undefined
  const { protocolVersion, capabilities } = message.result
  if (typeof protocolVersion !== 'string' || !isObject(capabilities)) return undefined
  return LISTS.filter((list) => {
    const capability = capabilities[list]
    return isObject(capability) && capability.listChanged === true
  })
}

/** The notification, as an event. @param subscription - id of the request that opened it, in JSON; undefined in an MCP session */
export function formatListChanged(list: ChangingList, subscription: string | undefined): string {
  const params =
    subscription === undefined ? '' : `,"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":${subscription}}}`
  return `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/${list}/list_changed"${params}}\n\n`
}

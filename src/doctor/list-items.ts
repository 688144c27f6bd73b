import type { ListedKind } from '../core/decision.ts'
import { isObject } from '../core/is-object.ts'
import type { RpcAnswer } from './initialize.ts'

/** What an MCP server lists: names of tools and prompts, URIs of resources, URI templates. */
export type ServerItems = Readonly<Record<ListedKind, readonly string[]>>

/** Asks an MCP server, in a session that was opened before. @throws Error with the reason where it does not answer */
export type AskServer = (method: string, params: Readonly<Record<string, unknown>>) => Promise<RpcAnswer>

interface ListMethod {
  readonly method: string
  /** Of the result, and of each item. */
  readonly member: string
  readonly key: string
  /** By which a server says that it has such a list. */
  readonly capability: string
}

const LISTS: Readonly<Record<ListedKind, ListMethod>> = {
  tool: { method: 'tools/list', member: 'tools', key: 'name', capability: 'tools' },
  prompt: { method: 'prompts/list', member: 'prompts', key: 'name', capability: 'prompts' },
  resource: { method: 'resources/list', member: 'resources', key: 'uri', capability: 'resources' },
  resource_template: {
    method: 'resources/templates/list',
    member: 'resourceTemplates',
    key: 'uriTemplate',
    capability: 'resources',
  },
}
const MAX_PAGES = 100
const METHOD_NOT_FOUND = -32601

/**
 * Reads the lists of an MCP server.
 *
 * @param capabilities - as the server declares them; a list of which they say nothing is empty
 * @throws Error with the reason where one of them cannot be read
 */
export async function listItems(ask: AskServer, capabilities: unknown): Promise<ServerItems> {
  const declared = isObject(capabilities) ? capabilities : {}
  const read = (kind: ListedKind) => (declared[LISTS[kind].capability] === undefined ? [] : readList(ask, LISTS[kind]))
  return {
    tool: await read('tool'),
    prompt: await read('prompt'),
    resource: await read('resource'),
    resource_template: await read('resource_template'),
  }
}

async function readList(ask: AskServer, { method, member, key }: ListMethod): Promise<string[]> {
  const names: string[] = []
  let cursor: unknown
  for (let page = 0; page < MAX_PAGES; page++) {
    const { result, error } = await ask(method, typeof cursor === 'string' ? { cursor } : {})
    // Resources without templates: many servers know no such method then.
    if (error?.code === METHOD_NOT_FOUND) return names
    const items = result?.[member]
    if (!Array.isArray(items)) throw new Error(`it refuses ${method}`)
    names.push(...items.flatMap((item) => (isObject(item) && typeof item[key] === 'string' ? [item[key]] : [])))
    cursor = result?.nextCursor
    if (typeof cursor !== 'string') return names
  }
  throw new Error(`${method} has more than ${MAX_PAGES} pages`)
}

import { type ChangingList, type DeclaredCapabilities, NOTHING_DECLARED } from '../core/declared-capabilities.ts'
import type { Principal } from '../core/principal.ts'
import type { SessionSeal } from './session-seal.ts'

/** An MCP session, as the sealed id that its client holds tells of it. */
export interface McpSession {
  /** The id that the upstream gave. */
  readonly id: string
  readonly declared: DeclaredCapabilities
}

/** Ids that say what was declared have a purpose of their own, so that no plain id can be taken for one. */
const PLAIN = 'mcp-session'
const DECLARING = 'mcp-session-declared'
/** Of what stands before the id. */
const VERSION = '1'
const FLAGS_END = 2

const LISTS: readonly ChangingList[] = ['tools', 'prompts', 'resources']
const URL_ELICITATION = 1 << LISTS.length

/** By their flags: opening an id makes nothing new. */
const DECLARED: readonly DeclaredCapabilities[] = Array.from({ length: 2 * URL_ELICITATION }, (_, flags) =>
  Object.freeze({
    listChanged: LISTS.filter((_list, bit) => (flags & (1 << bit)) !== 0),
    urlElicitation: (flags & URL_ELICITATION) !== 0,
  }),
)

/**
 * The id for the client. It carries what was declared, so that no table has to be kept; where that is nothing, it is the plain id that
 * earlier versions gave.
 */
export function sealSessionId(seal: SessionSeal, { id, declared }: McpSession, server: string, principal: Principal): string {
  const flags = formatFlags(declared)
  return flags === 0
    ? seal.seal(id, PLAIN, server, principal)
    : seal.seal(`${VERSION}${flags.toString(16)}${id}`, DECLARING, server, principal)
}

/** @returns undefined when the id is not of this server and principal, or of a later version than this */
export function openSessionId(seal: SessionSeal, sealed: string, server: string, principal: Principal): McpSession | undefined {
  const text = seal.open(sealed, DECLARING, server, principal)
  if (text !== undefined) return readFlags(text)
  const id = seal.open(sealed, PLAIN, server, principal)
  return id === undefined ? undefined : { id, declared: NOTHING_DECLARED }
}

function formatFlags({ listChanged, urlElicitation }: DeclaredCapabilities): number {
  const ofLists = LISTS.reduce((flags, list, bit) => (listChanged.includes(list) ? flags | (1 << bit) : flags), 0)
  return urlElicitation ? ofLists | URL_ELICITATION : ofLists
}

function readFlags(text: string): McpSession | undefined {
  const declared = DECLARED[Number.parseInt(text.charAt(1), 16)]
  return text.charAt(0) === VERSION && declared !== undefined ? { id: text.slice(FLAGS_END), declared } : undefined
}

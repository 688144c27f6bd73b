import { isObject } from '../core/is-object.ts'
import { escapeControlCharacters } from '../doctor/untrusted-text.ts'
import { formatList } from './operate-lines.ts'

/** What `keys create` asks for. */
export interface KeyTerms {
  readonly name: string
  readonly servers: readonly string[]
  readonly scopes: readonly string[]
  readonly addresses: readonly string[]
  readonly user: string | undefined
  readonly issuer: string | undefined
  readonly seconds: number
}

/** The entry of `keys` in the configuration. Texts in quotation marks mean the same in YAML and JSON. */
export function formatEntry(
  { name, servers, scopes, addresses, user, issuer }: KeyTerms,
  digest: string,
  expires: Date,
): string[] {
  const members: readonly (readonly [string, unknown])[] = [
    ['name', name],
    ['digest', digest],
    ['servers', servers],
    ['scopes', scopes],
    ['expires', `${expires.toISOString().slice(0, 19)}Z`],
    ['addresses', addresses.length === 0 ? undefined : addresses],
    ['for', user],
    ['issuer', issuer],
  ]
  const lines = members.flatMap(([key, value]) => (value === undefined ? [] : [`${key}: ${JSON.stringify(value)}`]))
  return ['keys:', ...lines.map((line, index) => `${index === 0 ? '  - ' : '    '}${line}`)]
}

/** In the order of the columns, whichever of them the first key has. */
const COLUMNS = [
  ...['name', 'id', 'state', 'source', 'servers', 'scopes', 'subject', 'issuer', 'addresses', 'created', 'expires', 'last_used'],
]

/** All keys, a line each. */
export function formatKeys(answer: unknown): readonly string[] {
  const { keys, ...rest } = readAnswer(answer)
  const rows = Array.isArray(keys) ? keys.filter(isObject) : []
  const isUsed = (column: string) => rows.some((row) => row[column] !== undefined && !isEmpty(row[column]))
  const columns = COLUMNS.filter(isUsed)
  return formatList({ keys: rows.map((row) => Object.fromEntries(columns.map((column) => [column, row[column]]))), ...rest })
}

/** What stands beside the key, which is printed by itself. */
export function formatCreated(answer: unknown): readonly string[] {
  const { name, id, servers, scopes, subject, issuer, addresses, expires, shared, notices } = readAnswer(answer)
  const user = subject === undefined ? 'no user' : `the user ${show(subject)} of ${show(issuer)}`
  const from = isEmpty(addresses) ? '' : `, from ${show(addresses)}`
  return [
    `Access key ${show(name)} (id ${show(id)}) for ${user}: servers ${show(servers)}, scopes ${isEmpty(scopes) ? 'none' : show(scopes)}${from}.`,
    `It expires ${show(expires)}. It is shown only now; clients send it as \`Authorization: Bearer …\`.`,
    ...(Array.isArray(notices) ? notices.map((notice) => `notice ${show(notice)}`) : []),
    ...(shared === true ? [] : [IN_MEMORY]),
  ]
}

export function formatRevokedKeys(answer: unknown): readonly string[] {
  const { keys, shared } = readAnswer(answer)
  const rows = Array.isArray(keys) ? keys.filter(isObject) : []
  const ofFile = rows.some(({ source }) => source === 'configuration')
  return [
    ...rows.map(({ name, id }) => `Access key ${show(name)} (id ${show(id)}): revoked. It is refused within two seconds.`),
    ...(ofFile ? ['Remove it from `keys` in the configuration, too.'] : []),
    ...(shared === true ? [] : [IN_MEMORY]),
  ]
}

const IN_MEMORY = 'The store is `memory`: that counts for the process that was asked, until it ends.'

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

function readAnswer(answer: unknown): Readonly<Record<string, unknown>> {
  return isObject(answer) ? answer : {}
}

function show(value: unknown): string {
  return escapeControlCharacters(Array.isArray(value) ? value.join(' ') : String(value))
}

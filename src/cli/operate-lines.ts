import { isObject } from '../core/is-object.ts'
import { escapeControlCharacters } from '../doctor/untrusted-text.ts'
import { formatTable } from './table.ts'

/** What was revoked, for how long, and where that holds. */
export function formatRevoked(answer: unknown): readonly string[] {
  const { issuer, refuses, issued_before, until, shared, ...atBroker } = readAnswer(answer)
  const { was_signed_in: wasSignedIn, was_known: wasKnown, tokens_of_identity_provider: atProvider } = atBroker
  const tokens = refuses === 'all' ? 'All tokens' : `Tokens issued before ${show(issued_before)}`
  const end = until === null ? 'until it is lifted with `unblock`' : `until ${show(until)}`
  return [
    `${describe(answer)} of ${show(issuer)}: revoked.`,
    `${tokens} are refused in every process within five seconds, ${end}.`,
    ...(wasSignedIn === false || wasKnown === false ? [NEVER_SEEN] : []),
    ...(typeof atProvider === 'string' && Object.hasOwn(AT_PROVIDER, atProvider) ? [AT_PROVIDER[atProvider] ?? ''] : []),
    ...(refuses === 'all' ? [] : ['Those of a later sign-in count; `--block` refuses them, too.']),
    ...(shared === true ? [] : ['The store is `memory`: the process that was asked refuses them, and no other.']),
  ]
}

export function formatUnblocked(answer: unknown): readonly string[] {
  const { issuer, was_blocked, issued_before, until } = readAnswer(answer)
  const state = was_blocked === true ? 'no longer blocked' : 'is not blocked'
  const end = until === null ? '' : ` until ${show(until)}`
  return [
    `${describe(answer)} of ${show(issuer)}: ${state}.`,
    ...(issued_before === undefined
      ? []
      : [`Tokens issued before ${show(issued_before)} stay refused${end}. Those of a later sign-in count.`]),
  ]
}

/** A table for each list of the answer that has rows. */
export function formatList(answer: unknown): readonly string[] {
  const { total, is_cut, signs_in_here: signsInHere } = readAnswer(answer)
  const more = is_cut === true ? ', and more that were not read' : ''
  const conclusion = signsInHere === false ? SIGNED_IN_ELSEWHERE : `${show(total)} in all${more}.`
  return [...formatTables(answer), conclusion]
}

/** One user: what is known, and then the lists. */
export function formatUser(answer: unknown): readonly string[] {
  const facts = Object.entries(readAnswer(answer)).filter(([, value]) => !isTable(value))
  return [...facts.map(([name, value]) => `${name}: ${formatCell(value)}`), '', ...formatTables(answer)]
}

export function formatEnded(answer: unknown): readonly string[] {
  const { id, subject, client_id, kind } = readAnswer(answer)
  const whose = client_id === undefined ? show(subject) : `${show(subject)} with ${show(client_id)}`
  return [`Session ${show(id)} (${show(kind)}) of ${whose}: ended. Its tokens are refused within five seconds.`]
}

function formatTables(answer: unknown): readonly string[] {
  const tables = Object.entries(readAnswer(answer)).filter((entry): entry is [string, Rows] => isTable(entry[1]))
  return tables.flatMap(([name, rows]) => [`${name}:`, ...formatRows(rows), ''])
}

type Rows = readonly Readonly<Record<string, unknown>>[]

function isTable(value: unknown): value is Rows {
  return Array.isArray(value) && value.some(isObject)
}

function formatRows(rows: Rows): readonly string[] {
  const columns = rows.reduce<readonly string[]>((known, row) => mergeColumns(known, Object.keys(row)), [])
  const cells = rows.map((row) => columns.map((column) => [formatCell(row[column])]))
  const head = columns.map((column) => column.toUpperCase().replaceAll('_', ' '))
  return formatTable(head, cells).map((line) => `  ${line}`)
}

/** Members that only later rows have go where these rows have them: which row comes first says nothing. */
function mergeColumns(known: readonly string[], row: readonly string[]): readonly string[] {
  return row.reduce<readonly string[]>((columns, name, index) => {
    if (columns.includes(name)) return columns
    const before = index === 0 ? -1 : columns.indexOf(row[index - 1] ?? '')
    return columns.toSpliced(before + 1, 0, name)
  }, known)
}

function formatCell(value: unknown): string {
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return '-'
  return show(Array.isArray(value) ? value.join(' ') : value)
}

const NEVER_SEEN =
  'Nothing with this name has been seen here before. If you expected otherwise, check the spelling: upper and lower case differ.'
const SIGNED_IN_ELSEWHERE =
  'Users sign in with an issuer of their own, so this process knows only what is denied. With an `identity_provider` it lists all.'

const AT_PROVIDER: Readonly<Record<string, string>> = {
  revoked: 'The identity provider has revoked its tokens.',
  no_endpoint: 'The identity provider has no revocation endpoint; its tokens for the user were deleted here.',
  no_token: 'There was no token of the identity provider.',
  failed: 'The identity provider did not revoke its tokens; they were deleted here.',
}

const NAMES = { subject: 'User', client_id: 'Client', sid: 'Session', jti: 'Token' } as const

function describe(answer: unknown): string {
  const found = Object.entries(NAMES).find(([name]) => name in readAnswer(answer))
  return found === undefined ? 'It' : `${found[1]} ${show(readAnswer(answer)[found[0]])}`
}

function readAnswer(answer: unknown): Readonly<Record<string, unknown>> {
  return isObject(answer) ? answer : {}
}

/** Names come from users and issuers. */
function show(value: unknown): string {
  return escapeControlCharacters(String(value))
}

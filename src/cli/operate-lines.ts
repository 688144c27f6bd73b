import { isObject } from '../core/is-object.ts'
import { escapeControlCharacters } from '../doctor/untrusted-text.ts'

/** What was revoked, for how long, and where that holds. */
export function formatRevoked(answer: unknown): readonly string[] {
  const { issuer, refuses, issued_before, until, shared } = readAnswer(answer)
  const tokens = refuses === 'all' ? 'All tokens' : `Tokens issued before ${show(issued_before)}`
  const end = until === null ? 'until it is lifted with `unblock`' : `until ${show(until)}`
  return [
    `${describe(answer)} of ${show(issuer)}: revoked.`,
    `${tokens} are refused within five seconds, ${end}.`,
    ...(refuses === 'all' ? [] : ['A new sign-in counts again; `--block` refuses it, too.']),
    ...(shared === true ? [] : ['The store is `memory`: the process that was asked refuses them, and no other.']),
  ]
}

export function formatUnblocked(answer: unknown): readonly string[] {
  const { issuer, was_blocked } = readAnswer(answer)
  return [`${describe(answer)} of ${show(issuer)}: ${was_blocked === true ? 'no longer blocked' : 'was not blocked'}.`]
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

import { findPublicUrlFlaw, findScopeFlaw, findUrlFlaw } from '../../config/format/formats.ts'
import { splitCommand } from '../../config/format/split-command.ts'
import { findNearest } from '../../config/problem/did-you-mean.ts'
import { PROVIDER_CHOICES, type ProviderChoice } from './providers.ts'

/** The MCP server. */
export type UpstreamAnswer = { readonly url: string } | { readonly command: readonly string[] }

/** Who may use the MCP server, and with which scopes. */
export interface AccessAnswer {
  readonly scopes: readonly string[]
  readonly allow: readonly { readonly claim: string; readonly values: readonly string[] }[]
}

/** Everything that is asked. */
export interface Answers {
  readonly upstream: UpstreamAnswer
  readonly provider: ProviderChoice
  /** Where the provider is: members of `identity_provider`. */
  readonly place: Readonly<Record<string, unknown>>
  readonly publicUrl: string
  readonly access: AccessAnswer
  /** Undefined until the proxy is registered at the provider. */
  readonly clientId: string | undefined
}

/** An answer that cannot be, and why. */
export class AnswerError extends Error {}

/** A URL, or a command. @throws AnswerError */
export function parseUpstream(text: string): UpstreamAnswer {
  if (/^https?:/i.test(text)) {
    const flaw = findUrlFlaw(text)
    if (flaw) throw new AnswerError(`That ${flaw.reason}. ${flaw.fix}`)
    return { url: text }
  }
  const words = splitCommand(text)
  if ('reason' in words) throw new AnswerError(`That ${words.reason}. ${words.fix}`)
  const [program = ''] = words
  if (program.includes('://')) throw new AnswerError('That is a URL, but not one of http or https.')
  if (/^(?:localhost|[\w.-]+):\d+/.test(program)) throw new AnswerError(`If that is a URL, write it whole: http://${program}`)
  return { command: words }
}

/** A name of the list, or its number. @throws AnswerError */
export function parseProvider(text: string): ProviderChoice {
  const word = text.toLowerCase()
  const found = PROVIDER_CHOICES.find(({ choice }, index) => choice === word || String(index + 1) === word)
  if (found !== undefined) return found
  const nearest = findNearest(
    word,
    PROVIDER_CHOICES.map(({ choice }) => choice),
  )
  throw new AnswerError(
    nearest === undefined
      ? `Write one of ${PROVIDER_CHOICES.map(({ choice }) => choice).join(', ')}, or its number.`
      : `There is no such kind. Is ${nearest} meant?`,
  )
}

/** @throws AnswerError */
export function parsePlace(text: string, { parse, question }: ProviderChoice): Answers['place'] {
  const place = parse(text)
  if (place === undefined) throw new AnswerError(`That is not what was asked for. ${question}`)
  return place
}

/** @throws AnswerError */
export function parsePublicUrl(text: string): string {
  const flaw = findPublicUrlFlaw(text)
  if (flaw) throw new AnswerError(`That ${flaw.reason}. ${flaw.fix}`)
  return new URL(text).origin
}

/**
 * Scopes, domains of email addresses (`@example.com`) and values of claims (`groups=admins`), with blanks or commas between.
 *
 * @throws AnswerError
 */
export function parseAccess(text: string, provider: ProviderChoice, place: Answers['place']): AccessAnswer {
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  const conditions = words.filter((word) => /^@|=/.test(word))
  const scopes = words.filter((word) => !conditions.includes(word))
  const wrong = scopes.find((scope) => findScopeFlaw(scope) !== undefined)
  if (wrong !== undefined) throw new AnswerError(`${JSON.stringify(wrong)} is not a scope.`)
  if (conditions.length > 0) checkConditions(conditions, provider, place)
  return { scopes: [...new Set(scopes)], allow: groupConditions(conditions) }
}

function checkConditions(conditions: readonly string[], { choice, name }: ProviderChoice, place: Answers['place']): void {
  if (choice === 'issuer') throw new AnswerError('Who may sign in is decided by that authorization server. Write scopes alone.')
  if (choice === 'entra' && conditions.some((word) => word.startsWith('@')))
    throw new AnswerError(`${name} does not verify email addresses. Write roles=NAME, groups=OBJECT-ID or tid=TENANT-ID instead.`)
  const narrowing = ['domain', 'organization'].find(
    (key) => (choice === 'google' || choice === 'github') && place[key] !== undefined,
  )
  if (narrowing !== undefined)
    throw new AnswerError(`The ${narrowing} says already who may sign in. Write scopes alone, or leave the ${narrowing} empty.`)
}

function groupConditions(conditions: readonly string[]): AccessAnswer['allow'] {
  const values = new Map<string, string[]>()
  for (const word of conditions) {
    const [claim = '', value = ''] = word.startsWith('@') ? ['email_domain', word.slice(1)] : word.split(/=(.*)/s)
    if (claim === '' || value === '') throw new AnswerError(`${JSON.stringify(word)} is neither @domain nor claim=value.`)
    values.set(claim, [...(values.get(claim) ?? []), value])
  }
  return [...values].map(([claim, list]) => ({ claim, values: [...new Set(list)] }))
}

import { findOpenTo } from '../../config/derive/open-to.ts'
import { findPublicUrlMistake, findScopeMistake, findUpstreamUrlMistake } from '../../config/format/formats.ts'
import { splitCommand } from '../../config/format/split-command.ts'
import { findNearest } from '../../core/nearest-word.ts'
import { PROVIDER_CHOICES, type ProviderChoice } from './providers.ts'
import { recognizeIssuer } from './recognize-issuer.ts'

/** The MCP server. */
export type UpstreamAnswer =
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 'stdio'; readonly command: readonly string[] }

/** Everything that is asked. */
export interface Answers {
  readonly upstream: UpstreamAnswer
  readonly provider: ProviderChoice
  /** Where the provider is: members of `identity_provider`. */
  readonly place: Readonly<Record<string, unknown>>
  readonly publicUrl: string
  /** Who may sign in; one of these is enough. Empty: every user of the provider, or those whom the place names. */
  readonly allow: readonly { readonly claim: string; readonly values: readonly string[] }[]
  /** Scopes that every request needs. */
  readonly scopes: readonly string[]
  /** Undefined until the proxy is registered at the provider. */
  readonly clientId: string | undefined
}

/** An answer that cannot be, and why. */
export class AnswerError extends Error {}

/** A URL, or a command. @throws AnswerError */
export function parseUpstream(text: string): UpstreamAnswer {
  if (/^(?:https?|(?:https?\+)?unix):/i.test(text)) {
    const mistake = findUpstreamUrlMistake(text)
    if (mistake) throw new AnswerError(`That ${mistake.reason}. ${mistake.fix}`)
    return { kind: 'http', url: text }
  }
  const words = splitCommand(text)
  if ('reason' in words) throw new AnswerError(`That ${words.reason}. ${words.fix}`)
  const [program = ''] = words
  if (program.includes('://')) throw new AnswerError('That is a URL, but not one of http or https.')
  if (/^(?:localhost|[\w.-]+):\d+/.test(program)) throw new AnswerError(`If that is a URL, write it whole: http://${program}`)
  return { kind: 'stdio', command: words }
}

const NO_PROVIDER =
  'Users have to sign in somewhere. google and github need no more than an account there. To try things out without any: open-mcp-auth-proxy --demo --upstream URL.'

/** A name of the list, or its number. @throws AnswerError */
export function parseProvider(text: string): ProviderChoice {
  const word = text.toLowerCase()
  const found = PROVIDER_CHOICES.find(({ choice }, index) => choice === word || String(index + 1) === word)
  if (found !== undefined) return found
  if (/^(?:none|no|nobody|nothing|-|demo|sandbox|local)$/.test(word)) throw new AnswerError(NO_PROVIDER)
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

/** What the question of the provider asks for, or its issuer where that tells. @throws AnswerError */
export function parsePlace(text: string, { choice, parse, question }: ProviderChoice): Answers['place'] {
  const found = recognizeIssuer(text)
  const place = parse(found?.choice === choice ? found.answer : text)
  if (place === undefined) throw new AnswerError(`That does not answer the question. ${question}`)
  return place
}

/** @throws AnswerError */
export function parsePublicUrl(text: string): string {
  const mistake = findPublicUrlMistake(text)
  if (mistake) throw new AnswerError(`That ${mistake.reason}. ${mistake.fix}`)
  return new URL(text).origin
}

const EVERYBODY: ReadonlySet<string> = new Set(['everybody', 'everyone', 'anybody', 'anyone', 'all', '*'])
const DOMAIN = /^(?:\*?@)?([\w-]+(?:\.[\w-]+)+)$/
const ADDRESS = /^[^\s@<>:"]+@[\w-]+(?:\.[\w-]+)+$/

/**
 * Who may sign in: addresses (`bob@example.com`), domains of addresses (`example.com`) and values of claims (`groups=admins`), with blanks
 * or commas between; or `everybody`, where there is nothing to narrow.
 *
 * @throws AnswerError
 */
export function parseAllow(text: string, provider: ProviderChoice): Answers['allow'] {
  const words = splitWords(text)
  if (words.length === 0) throw new AnswerError('Name at least one user. To admit all users, write everybody.')
  if (words.length === 1 && EVERYBODY.has(words[0]?.toLowerCase() ?? '')) return []
  return groupValues(words.map((word) => readCondition(word, provider)))
}

/** Who could sign in without `allow`, if that is the public. */
export function findPublic({ choice }: ProviderChoice, place: Answers['place']): string | undefined {
  return choice === 'issuer' ? undefined : findOpenTo(choice, place)
}

/** What narrows who may sign in already, so that nothing else may. */
export function findNarrowing({ choice }: ProviderChoice, place: Answers['place']): 'domain' | 'organization' | undefined {
  if (choice === 'google' && place.domain !== undefined) return 'domain'
  return choice === 'github' && place.organization !== undefined ? 'organization' : undefined
}

/**
 * Scopes, with blanks or commas between. What looks like a person is none: it would be asked of everybody.
 *
 * @throws AnswerError
 */
export function parseScopes(text: string): readonly string[] {
  const scopes = splitWords(text)
  for (const scope of scopes) {
    if (scope.includes('@') || scope.includes('=') || EVERYBODY.has(scope.toLowerCase()))
      throw new AnswerError(
        `${JSON.stringify(scope)} is a condition on users, not a scope. Who may sign in is a separate question (--allow).`,
      )
    const mistake = findScopeMistake(scope)
    if (mistake !== undefined) throw new AnswerError(`${JSON.stringify(scope)} cannot be a scope: it ${mistake.reason}.`)
  }
  return [...new Set(scopes)]
}

function splitWords(text: string): string[] {
  return text.split(/[\s,;]+/).filter((word) => word !== '')
}

function readCondition(word: string, provider: ProviderChoice): { readonly claim: string; readonly value: string } {
  const domain = DOMAIN.exec(word)?.[1]
  if (domain !== undefined || ADDRESS.test(word)) {
    if (provider.choice === 'entra')
      throw new AnswerError(
        `${provider.name} does not verify email addresses. Write roles=NAME, groups=OBJECT-ID or oid=OBJECT-ID instead.`,
      )
    return domain === undefined ? { claim: 'email', value: word } : { claim: 'email_domain', value: domain }
  }
  const [, claim, value] = /^([^=@]+)=(.+)$/s.exec(word) ?? []
  if (claim !== undefined && value !== undefined) return { claim, value }
  const known =
    provider.choice === 'github'
      ? ` A GitHub user is id=NUMBER, as https://api.github.com/users/${/^[\w-]+$/.test(word) ? word : 'NAME'} tells.`
      : ''
  throw new AnswerError(
    `${JSON.stringify(word)} is neither an address (bob@example.com), nor a domain (example.com), nor claim=value.${known}`,
  )
}

function groupValues(conditions: readonly { readonly claim: string; readonly value: string }[]): Answers['allow'] {
  const values = new Map<string, Set<string>>()
  for (const { claim, value } of conditions) values.set(claim, (values.get(claim) ?? new Set()).add(value))
  return [...values].map(([claim, list]) => ({ claim, values: [...list] }))
}

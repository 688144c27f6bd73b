import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import { formatMetadataUrls } from '../oauth/authorization-server-metadata.ts'
import { parseVerificationKey, type UnknownJwk } from '../oauth/jwk.ts'
import { parseKeySet } from '../oauth/key-set.ts'
import { createIssuerFetch, type SafeFetch, type SafeFetchPlan } from '../oauth/safe-fetch.ts'
import { aimAtMetadataUrl } from '../oauth/second-address.ts'
import { describeFailure, type FailedProbe } from './failure.ts'

export type Metadata = Readonly<Record<string, unknown>>

/** Which of the well-known URLs (RFC 8414 §3.1, §5; OpenID Connect Discovery §4), or the one that the configuration names. */
export type MetadataForm = 'oauth' | 'openid_inserted' | 'openid_appended' | 'named'

/** What one well-known URL answers. */
export interface MetadataProbe {
  readonly url: string
  readonly form: MetadataForm
  readonly answer: { readonly kind: 'document'; readonly document: Metadata } | FailedProbe
}

/** The keys that an issuer publishes. */
export interface KeysProbe {
  readonly url: string
  readonly answer:
    | {
        readonly kind: 'keys'
        readonly size: number
        readonly problems: readonly string[]
        readonly algorithms: readonly string[]
      }
    | FailedProbe
}

/** What an authorization server shows of itself. */
export interface IssuerProbe {
  readonly issuer: string
  readonly documents: readonly MetadataProbe[]
  /** The first document that names this very issuer, as clients read it. */
  readonly metadata: Metadata | undefined
  /** Undefined where neither configuration nor metadata says where they are. */
  readonly keys: KeysProbe | undefined
  /** Seconds by which the issuer's clock is ahead of ours; undefined where it doesn't tell. */
  readonly aheadSeconds: number | undefined
}

/** Where to look, and how. */
export interface IssuerQuestion extends SafeFetchPlan {
  readonly issuer: string
  readonly jwksUri: IssuerPlan['jwksUri']
  /** Where metadata may be, the first that counts first; every well-known URL unless given. `metadataUrl` goes before. */
  readonly forms?: readonly (readonly [MetadataForm, string])[]
  /** Where the metadata is for us, if browsers reach the issuer by another address. */
  readonly metadataUrl?: string | undefined
}

/** Asks an issuer for everything that it publishes. Never throws. */
export async function probeIssuer(question: IssuerQuestion): Promise<IssuerProbe> {
  const { issuer, metadataUrl } = question
  const outbound = createIssuerFetch(question)
  try {
    const [documents, aheadSeconds] = await Promise.all([
      Promise.all(listQuestionForms(question).map(([form, url]) => probeMetadata(form, url, outbound))),
      probeClock(metadataUrl ?? issuer, outbound),
    ])
    const own = documents
      .flatMap(({ answer }) => (answer.kind === 'document' ? [answer.document] : []))
      .find((document) => document.issuer === issuer)
    const ours = own === undefined || metadataUrl === undefined ? own : aimAtMetadataUrl(own, metadataUrl)
    return { issuer, documents, metadata: own, keys: await probeKeys(question, ours, outbound), aheadSeconds }
  } finally {
    await outbound.close()
  }
}

function listQuestionForms({
  issuer,
  metadataUrl,
  forms = listForms(issuer),
}: IssuerQuestion): NonNullable<IssuerQuestion['forms']> {
  return metadataUrl === undefined ? forms : [['named', metadataUrl]]
}

/** The well-known URLs of an issuer, in the order of 2026-07-28. */
export function listForms(issuer: string): readonly (readonly [MetadataForm, string])[] {
  const [oauth = '', ...openId] = formatMetadataUrls(issuer)
  // Without a path both forms of OpenID Connect are one.
  const forms: MetadataForm[] = openId.length === 1 ? ['openid_appended'] : ['openid_inserted', 'openid_appended']
  return [['oauth', oauth], ...openId.map((url, index) => [forms[index] ?? 'openid_appended', url] as const)]
}

async function probeMetadata(form: MetadataForm, url: string, { fetchJson }: SafeFetch): Promise<MetadataProbe> {
  try {
    const { document } = await fetchJson(url, { namedBy: 'operator' })
    return { url, form, answer: { kind: 'document', document } }
  } catch (error) {
    return { url, form, answer: describeFailure(error) }
  }
}

/** Any answer has a `Date` (RFC 9110 §6.6.1). Half a round trip is given to each way, and half a second to the rounding. */
async function probeClock(issuer: string, { fetchRaw }: SafeFetch): Promise<number | undefined> {
  const [url = issuer] = formatMetadataUrls(issuer)
  const sentAt = Date.now()
  try {
    const { headers } = await fetchRaw(url, { method: 'GET', namedBy: 'operator', showRedirects: true, isEnough: () => true })
    const theirs = Date.parse(headers.date ?? '')
    return Number.isNaN(theirs) ? undefined : (theirs + 500 - (sentAt + Date.now()) / 2) / 1000
  } catch {
    // Why there is no answer is told with the metadata.
    return undefined
  }
}

async function probeKeys(
  question: IssuerQuestion,
  metadata: Metadata | undefined,
  { fetchJson }: SafeFetch,
): Promise<KeysProbe | undefined> {
  const named = metadata?.jwks_uri
  const url = question.jwksUri ?? (typeof named === 'string' && named !== '' ? named : undefined)
  if (url === undefined) return undefined
  try {
    const { document } = await fetchJson(url, { namedBy: question.jwksUri === undefined ? 'metadata' : 'operator' })
    const { size, problems } = parseKeySet(document)
    return { url, answer: { kind: 'keys', size, problems, algorithms: listAlgorithms(document.keys as readonly unknown[]) } }
  } catch (error) {
    return { url, answer: describeFailure(error) }
  }
}

function listAlgorithms(keys: readonly unknown[]): string[] {
  const usable = keys.map((key) =>
    typeof key === 'object' && key !== null ? parseVerificationKey(key as UnknownJwk) : undefined,
  )
  return [...new Set(usable.flatMap((key) => (typeof key === 'object' ? key.algorithms : [])))]
}

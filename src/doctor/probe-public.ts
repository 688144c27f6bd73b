import { DIRECT } from '../core/plan/egress-plan.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { EndpointPlan } from '../core/plan/server-plan.ts'
import { fetchCertificateEnd } from '../oauth/certificate.ts'
import { createSafeFetch, type RawAnswer, type SafeFetch } from '../oauth/safe-fetch.ts'
import { describeFailure, type FailedProbe } from './failure.ts'
import { INITIALIZE, MCP_HEADERS } from './initialize.ts'
import type { Metadata } from './probe-issuer.ts'

/** An answer, or why there is none. */
export type AnswerProbe = { readonly kind: 'answer'; readonly answer: RawAnswer } | FailedProbe

/** The answers of an endpoint's public URL to requests without a token. */
export interface EndpointProbe {
  readonly endpoint: EndpointPlan
  readonly first: AnswerProbe
  /** `resource_metadata` of the challenge. */
  readonly metadataUrl: string | undefined
  /** Undefined where there was no reason to ask. */
  readonly metadata: { readonly kind: 'document'; readonly document: Metadata } | FailedProbe | undefined
  readonly head: AnswerProbe | undefined
  readonly preflight: AnswerProbe | undefined
}

/** What the public URL shows. */
export interface PublicProbe {
  readonly endpoints: readonly EndpointProbe[]
  /** Milliseconds since the epoch; undefined where the public URL is http. */
  readonly certificate: { readonly kind: 'certificate'; readonly end: number } | FailedProbe | undefined
  /** Whether a proxy answers on the listening address. */
  readonly isListening: boolean
}

/** The page whose preflight is tried: its origin is accepted whatever the configuration says. */
export const PREFLIGHT_ORIGIN = 'https://claude.ai'
export const PREFLIGHT_HEADERS = ['authorization', 'content-type', 'mcp-protocol-version']

/** Visits the public URL as clients do. Never throws. */
export async function probePublicUrl(plan: Plan): Promise<PublicProbe> {
  const outbound = createSafeFetch({ issuer: plan.publicUrl, allowPrivateNetwork: true, ca: undefined, egress: plan.egress })
  try {
    const named = plan.servers.flatMap(({ endpoints }) => endpoints.filter(({ kind }) => kind !== 'messages'))
    const [certificate, isListening, ...endpoints] = await Promise.all([
      probeCertificate(plan),
      probeListener(plan),
      ...named.map((endpoint) => probeEndpoint(endpoint, plan, outbound)),
    ])
    return { endpoints, certificate, isListening }
  } finally {
    await outbound.close()
  }
}

async function probeCertificate({ publicUrl, egress }: Plan): Promise<PublicProbe['certificate']> {
  if (!publicUrl.startsWith('https:')) return undefined
  try {
    return { kind: 'certificate', end: await fetchCertificateEnd(publicUrl, egress) }
  } catch (error) {
    return describeFailure(error)
  }
}

/** With TLS the certificate is for another name than that of the address, so nothing would be learned. */
async function probeListener({ listen, publicUrl: issuer }: Plan): Promise<boolean> {
  if (listen.tls !== undefined || listen.port === 0) return false
  const host = listen.host === '0.0.0.0' || listen.host === '::' ? 'localhost' : listen.host
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${listen.port}/healthz`
  const { fetchRaw, close } = createSafeFetch({ issuer, allowPrivateNetwork: true, ca: undefined, egress: DIRECT })
  const answer = await fetchRaw(url, { method: 'GET', namedBy: 'operator', showRedirects: true }).catch(() => undefined)
  await close()
  return answer?.status === 200
}

async function probeEndpoint(endpoint: EndpointPlan, plan: Plan, outbound: SafeFetch): Promise<EndpointProbe> {
  const { resource, kind } = endpoint
  const first = await ask(outbound, resource, kind === 'sse' ? STREAM : FIRST)
  const challenge = first.kind === 'answer' ? first.answer.headers['www-authenticate'] : undefined
  const metadataUrl = /\bresource_metadata="([^"]+)"/.exec(challenge ?? '')?.[1]
  if (first.kind !== 'answer' || first.answer.status !== 401) {
    return { endpoint, first, metadataUrl, metadata: undefined, head: undefined, preflight: undefined }
  }
  const isOurs = metadataUrl !== undefined && URL.parse(metadataUrl)?.origin === plan.publicUrl
  const [metadata, head, preflight] = await Promise.all([
    probeMetadata(isOurs ? metadataUrl : formatMetadataUrl(endpoint, plan), outbound),
    ask(outbound, resource, { method: 'HEAD' }),
    ask(outbound, resource, PREFLIGHT),
  ])
  return { endpoint, first, metadataUrl, metadata, head, preflight }
}

/** Where the metadata of an endpoint is (RFC 9728 §3.1). */
export function formatMetadataUrl({ resource }: EndpointPlan, { publicUrl }: Plan): string {
  return `${publicUrl}/.well-known/oauth-protected-resource${new URL(resource).pathname}`
}

const FIRST = { method: 'POST', headers: MCP_HEADERS, body: INITIALIZE } as const
/** If a request without a token gets a stream, its header section says enough. */
const STREAM = { method: 'GET', headers: { accept: 'text/event-stream' }, isEnough: () => true } as const
const PREFLIGHT = {
  method: 'OPTIONS',
  headers: {
    origin: PREFLIGHT_ORIGIN,
    'access-control-request-method': 'POST',
    'access-control-request-headers': PREFLIGHT_HEADERS.join(', '),
  },
} as const

async function ask(
  { fetchRaw }: SafeFetch,
  url: string,
  request: Omit<Parameters<SafeFetch['fetchRaw']>[1], 'namedBy'>,
): Promise<AnswerProbe> {
  try {
    return {
      kind: 'answer',
      answer: await fetchRaw(url, {
        isEnough: (bytes) => bytes.length > 65_536,
        ...request,
        namedBy: 'operator',
        showRedirects: true,
      }),
    }
  } catch (error) {
    return describeFailure(error)
  }
}

async function probeMetadata(url: string, { fetchJson }: SafeFetch): Promise<EndpointProbe['metadata']> {
  try {
    return { kind: 'document', document: (await fetchJson(url, { namedBy: 'operator' })).document }
  } catch (error) {
    return describeFailure(error)
  }
}

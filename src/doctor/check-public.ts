import type { Plan } from '../core/plan/plan.ts'
import { isTlsFailure } from './failure.ts'
import type { Finding, Findings } from './finding.ts'
import { type EndpointProbe, formatMetadataUrl, PREFLIGHT_HEADERS, PREFLIGHT_ORIGIN, type PublicProbe } from './probe-public.ts'
import { escapeControlCharacters, quoteUntrusted } from './untrusted-text.ts'

/** Whether the public URL leads to this proxy and nothing on the way changes what it says. */
export function checkPublicUrl(probe: PublicProbe, plan: Plan, about: Findings): Finding[] {
  return [
    ...checkScheme(plan, about),
    ...checkCertificate(probe, about),
    ...keepFirstSilence(probe.endpoints.flatMap((endpoint) => checkEndpoint(endpoint, probe, plan, about))),
  ]
}

/** A proxy that doesn't run is silent everywhere; that is one thing. */
function keepFirstSilence(findings: readonly Finding[]): Finding[] {
  const first = findings.findIndex(({ id }) => id === 'not_running')
  return findings.filter(({ id }, index) => id !== 'not_running' || index === first)
}

function checkScheme({ publicUrl }: Plan, about: Findings): Finding[] {
  const { protocol, hostname } = new URL(publicUrl)
  if (protocol === 'https:' || hostname === 'localhost' || /^127\./.test(hostname) || hostname === '[::1]') return []
  return [
    about.problem(
      'public_url_insecure',
      'It is http: access tokens are sent unencrypted, and most clients refuse it.',
      'Serve https (`listen.tls`, or a load balancer that ends TLS), and write https in `public_url`.',
    ),
  ]
}

const DAY_MS = 86_400_000

function checkCertificate({ certificate }: PublicProbe, about: Findings): Finding[] {
  if (certificate === undefined) return []
  if (certificate.kind === 'failure') {
    if (!isTlsFailure(certificate.failure)) return []
    return [
      about.problem(
        'certificate_invalid',
        `Its certificate does not verify: ${certificate.failure.reason}.`,
        certificate.failure.fix,
      ),
    ]
  }
  const days = Math.floor((certificate.end - Date.now()) / DAY_MS)
  if (days < 14)
    return [
      about.warning(
        'certificate_ends',
        `Its certificate ends in ${days} ${days === 1 ? 'day' : 'days'}.`,
        'Renew it, and find out why automatic renewal failed.',
      ),
    ]
  return [about.ok('certificate', `Its certificate is valid for another ${days} days.`)]
}

function checkEndpoint(endpoint: EndpointProbe, probe: PublicProbe, plan: Plan, about: Findings): Finding[] {
  const { first } = endpoint
  if (first.kind === 'failure') return [explainSilence(endpoint, probe, about)]
  if (first.answer.status !== 401) return [explainAnswer(endpoint, first.answer, about)]
  return [
    checkChallenge(endpoint, plan, about),
    ...checkResourceMetadata(endpoint, plan, about),
    ...checkHead(endpoint, about),
    ...checkPreflight(endpoint, about),
  ]
}

function explainSilence({ endpoint, first }: EndpointProbe, { isListening }: PublicProbe, about: Findings): Finding {
  const failure = first.kind === 'failure' ? first.failure : undefined
  const says = `Nothing answers at ${endpoint.resource} (${failure?.reason ?? ''}).`
  if (failure !== undefined && isTlsFailure(failure)) return about.problem('public_url_tls', says, failure.fix)
  // A server answered with something unreadable, which the proxy never does.
  if (failure !== undefined && failure.code === undefined && !failure.reason.includes('no complete answer')) {
    return about.problem(
      'public_url_unreadable',
      `${endpoint.resource} answers differently from the proxy: ${failure.reason}.`,
      'Something in front of the proxy answers itself or changes the answers of the proxy (compresses them, for example): configure it to pass them unchanged.',
    )
  }
  if (isListening) {
    return about.problem(
      'public_url_elsewhere',
      `${says} The proxy runs on this machine, but its public URL does not lead to it.`,
      `${failure?.fix ?? ''} Correct \`public_url\`, or the DNS or load balancer in front. If machines of this network can't reach its public address (no hairpin NAT), run doctor on another machine as well.`,
    )
  }
  return about.skipped('not_running', `${says} What clients see there is not checked: start the proxy, and run doctor again.`)
}

function explainAnswer(
  { endpoint }: EndpointProbe,
  { status, headers, bytes }: { status: number; headers: Readonly<Record<string, string>>; bytes: Buffer },
  about: Findings,
): Finding {
  const { resource } = endpoint
  const text = bytes.toString('utf8')
  if (status >= 300 && status < 400) {
    return about.problem(
      'public_url_redirects',
      `${resource} redirects to ${quoteUntrusted(headers.location)}. Clients do not follow that with their requests.`,
      'Serve it without a redirect, or, if clients should use the other URL, set `public_url` and `path` accordingly.',
    )
  }
  if (text.includes('host_denied')) {
    return about.problem(
      'host_denied',
      `The proxy refuses the host name of ${resource}.`,
      'The running proxy has another `public_url`: restart it with this configuration, or add the host to `allowed_hosts`.',
    )
  }
  if (/html/i.test(headers['content-type'] ?? '')) {
    return about.problem(
      'public_url_page',
      `${resource} answers with a web page (status ${status}), not as the proxy does.`,
      'Something else answers there, a login page or an error page of a load balancer: let requests for this path through to the proxy.',
    )
  }
  if (status < 300) {
    return about.problem(
      'public_url_open',
      `${resource} answers a request without a token (status ${status}): that is not the proxy.`,
      'This seems to be the MCP server itself. Point the public URL to the proxy, and make the MCP server unreachable from outside.',
    )
  }
  if (status >= 500) {
    return about.problem(
      'public_url_fails',
      `${resource} answers with status ${status}.`,
      'A load balancer that does not reach the proxy answers like this: check its target, and the log of the proxy.',
    )
  }
  return about.problem(
    'public_url_other',
    `${resource} answers with status ${status}, and not with 401 as the proxy does.`,
    'Something else answers there, or the running proxy has another configuration: restart it with this one, and check the path in front of it.',
  )
}

/** RFC 9728 §5.1. RMCP (Goose) ignores a URL on another origin; a gateway may have eaten the header. */
function checkChallenge({ endpoint, metadataUrl, first }: EndpointProbe, plan: Plan, about: Findings): Finding {
  const expected = formatMetadataUrl(endpoint, plan)
  if (metadataUrl === expected)
    return about.ok('challenge', `${endpoint.resource} asks for a token, and says where its metadata is.`)
  const challenge = first.kind === 'answer' ? first.answer.headers['www-authenticate'] : undefined
  if (challenge === undefined) {
    return about.problem(
      'challenge_missing',
      `${endpoint.resource} answers 401 without WWW-Authenticate.`,
      'Something in front of the proxy removes the header, or answers itself: let both pass.',
    )
  }
  if (metadataUrl === undefined) {
    return about.problem(
      'challenge_foreign',
      `The challenge of ${endpoint.resource} names no resource_metadata: ${quoteUntrusted(challenge)}.`,
      'Something in front of the proxy asks for credentials of its own: exempt this path from it.',
    )
  }
  return about.problem(
    'challenge_elsewhere',
    `The challenge of ${endpoint.resource} names the metadata URL ${quoteUntrusted(metadataUrl)}, not ${expected}.`,
    'The running proxy has another `public_url` or `path`: restart it with this configuration.',
  )
}

/** RFC 9728 §3.3: `resource` is what the client has asked for, or the client must not use the document. */
function checkResourceMetadata({ endpoint, metadata }: EndpointProbe, plan: Plan, about: Findings): Finding[] {
  const url = formatMetadataUrl(endpoint, plan)
  if (metadata === undefined) return []
  if (metadata.kind === 'failure') {
    return [
      about.problem(
        'resource_metadata_missing',
        `The protected resource metadata cannot be read: ${metadata.failure.reason}.`,
        `Let requests for ${url} through to the proxy, without authentication.`,
      ),
    ]
  }
  const { resource, authorization_servers: servers } = metadata.document
  if (resource !== endpoint.resource) {
    return [
      about.problem(
        'resource_differs',
        `The protected resource metadata is for ${quoteUntrusted(resource)}, and clients use ${endpoint.resource}. VS Code, Gemini CLI and others refuse that.`,
        'The running proxy has another `public_url` or `path`: restart it with this configuration.',
      ),
    ]
  }
  const expected = plan.servers.find(({ endpoints }) => endpoints.includes(endpoint))?.issuers.map(({ issuer }) => issuer) ?? []
  if (JSON.stringify(servers ?? []) !== JSON.stringify(expected)) {
    return [
      about.problem(
        'issuers_differ',
        `The running proxy sends clients to ${quoteUntrusted(servers)}, this configuration to ${expected.join(', ')}.`,
        'Restart the proxy with this configuration.',
      ),
    ]
  }
  return [about.ok('resource', `Its protected resource metadata is for ${endpoint.resource}, as clients need it.`)]
}

/** Gemini CLI begins with HEAD. */
function checkHead({ endpoint, head }: EndpointProbe, about: Findings): Finding[] {
  if (head === undefined || (head.kind === 'answer' && head.answer.status === 401)) return []
  const came = head.kind === 'answer' ? `status ${head.answer.status}` : head.failure.reason
  return [
    about.warning(
      'head_changed',
      `HEAD on ${endpoint.resource} gets ${came}, not 401. Gemini CLI starts with a HEAD request.`,
      'Let HEAD requests through to the proxy.',
    ),
  ]
}

/** What is wrong with the answer to a preflight (Fetch §3.2.3, §4.8); undefined where nothing is. */
export function findPreflightProblem({ preflight }: EndpointProbe): string | undefined {
  if (preflight === undefined) return undefined
  if (preflight.kind === 'failure') return preflight.failure.reason
  const { status, headers } = preflight.answer
  if (status < 200 || status > 299) return `status ${status}`
  const origin = headers['access-control-allow-origin']
  if (origin !== '*' && origin !== PREFLIGHT_ORIGIN)
    return `Access-Control-Allow-Origin is ${origin === undefined ? 'missing' : quoteUntrusted(origin)}`
  const allowed = new Set((headers['access-control-allow-headers'] ?? '').toLowerCase().split(/[\s,]+/))
  // The star does not stand for Authorization.
  const missing = PREFLIGHT_HEADERS.filter((name) => !allowed.has(name) && (name === 'authorization' || !allowed.has('*')))
  return missing.length === 0 ? undefined : `Access-Control-Allow-Headers lacks ${missing.join(', ')}`
}

function checkPreflight(probe: EndpointProbe, about: Findings): Finding[] {
  const { resource } = probe.endpoint
  const problem = findPreflightProblem(probe)
  if (problem === undefined) return [about.ok('cors', `Web pages of clients may call ${resource} (CORS).`)]
  return [
    about.problem(
      'cors_preflight',
      `A CORS preflight for ${resource} fails: ${escapeControlCharacters(problem)}. Clients in browsers cannot connect.`,
      'The proxy answers OPTIONS itself: let it through without authentication, and do not add or remove Access-Control headers in front of the proxy.',
    ),
  ]
}

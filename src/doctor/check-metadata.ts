import type { Finding, Findings } from './finding.ts'
import type { IssuerProbe, Metadata, MetadataForm } from './probe-issuer.ts'
import { quoteUntrusted } from './untrusted-text.ts'

const OPENID = '/openid-configuration'

const FORMS: Readonly<Record<MetadataForm, string>> = {
  oauth: 'RFC 8414',
  openid_inserted: 'OpenID Connect with the path behind',
  openid_appended: 'OpenID Connect',
  named: '`metadata_url`',
}

/**
 * Whether the metadata of an issuer is what clients can work with.
 *
 * @param scopes - that clients will have to ask for
 */
export function checkMetadata(probe: IssuerProbe, scopes: readonly string[], about: Findings): Finding[] {
  const { metadata } = probe
  if (metadata === undefined) return [explainMissing(probe, about)]
  const rules = [checkEndpoints, checkPkce, checkCodeFlow, checkRegistration, checkIssParameter, checkQuery]
  return [
    checkForms(probe, about),
    ...rules.flatMap((rule) => rule(metadata, about)),
    ...checkOpenIdMembers(probe, about),
    ...checkScopes(metadata, scopes, about),
  ]
}

/** There is no document, or it is that of another issuer. */
export function explainMissing({ issuer, documents }: IssuerProbe, about: Findings): Finding {
  const other = documents.flatMap(({ url, answer }) =>
    answer.kind === 'document' ? [{ url, document: answer.document }] : [],
  )[0]
  if (other !== undefined) {
    const found = other.document.issuer
    return about.problem(
      'issuer_mismatch',
      `The metadata at ${other.url} names the issuer ${quoteUntrusted(found)}, not "${issuer}". Clients and the proxy compare letter by letter.`,
      typeof found === 'string'
        ? `If that is your issuer, write ${quoteUntrusted(found)} as issuer, its final slash included or left out just so.`
        : 'The document has no `issuer`: correct it at the authorization server.',
    )
  }
  const failures = documents.flatMap(({ answer }) => (answer.kind === 'failure' ? [answer.failure] : []))
  const named = documents.find(({ form }) => form === 'named')
  const telling =
    failures.find(({ code }) => code !== undefined) ??
    failures.find(({ reason }) => !reason.includes('status 404')) ??
    failures[0]
  if (named !== undefined) {
    return about.problem(
      'issuer_metadata_missing',
      `Its metadata cannot be had at ${named.url}: ${telling?.reason ?? 'no answer'}.`,
      `Correct \`metadata_url\`. ${telling?.fix ?? ''}`.trim(),
    )
  }
  return about.problem(
    'issuer_metadata_missing',
    `None of its ${documents.length} well-known URLs answers with metadata: ${telling?.reason ?? 'no answer'}.`,
    telling?.reason.includes('status 404')
      ? `Check the issuer: ${documents.map(({ url }) => url).join(' or ')} must be there. A path of the issuer (realm, tenant, /oauth2/default) belongs to it.`
      : (telling?.fix ?? 'Check the issuer.'),
  )
}

function checkForms({ documents, issuer }: IssuerProbe, about: Findings): Finding {
  const found = documents.flatMap(({ url, form, answer }) =>
    answer.kind === 'document' ? [{ url, form, document: answer.document }] : [],
  )
  const odd = found.find(({ document }) => document.issuer !== issuer)
  if (odd !== undefined) {
    return about.problem(
      'issuer_documents_differ',
      `${odd.url} names another issuer than the other well-known URLs: ${quoteUntrusted(odd.document.issuer)}. Which one a client reads first is its choice.`,
      'Have the authorization server publish one `issuer` under all of its well-known URLs.',
    )
  }
  const [first, ...others] = found
  const differs = others.find(({ document }) => document.token_endpoint !== first?.document.token_endpoint)
  if (differs !== undefined) {
    return about.problem(
      'issuer_documents_differ',
      `${differs.url} names another token_endpoint than ${first?.url}. Which one a client reads first is its choice.`,
      'Have the authorization server publish the same document under all of its well-known URLs.',
    )
  }
  return about.ok(
    'issuer_metadata',
    `Its metadata is found (${found.map(({ form }) => FORMS[form]).join(', ')}) and names this very issuer.`,
  )
}

function checkEndpoints(metadata: Metadata, about: Findings): Finding[] {
  return ['authorization_endpoint', 'token_endpoint'].flatMap((name) => {
    const url = typeof metadata[name] === 'string' ? URL.parse(metadata[name]) : null
    if (url === null) {
      return [
        about.problem(
          'endpoint_missing',
          `Its metadata has no usable ${name}.`,
          'Switch the authorization code flow on at the authorization server.',
        ),
      ]
    }
    if (url.protocol === 'https:' || isOwnMachine(url)) return []
    return [
      about.problem(
        'endpoint_insecure',
        `${name} is ${quoteUntrusted(url.href)}, without https. Clients refuse it.`,
        'Serve it over https; behind a load balancer, tell the authorization server its public URL.',
      ),
    ]
  })
}

function isOwnMachine({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || /^127\./.test(hostname) || hostname === '[::1]'
}

/** 2026-07-28 basic/authorization, Authorization Code Protection. */
function checkPkce({ code_challenge_methods_supported: methods }: Metadata, about: Findings): Finding[] {
  if (Array.isArray(methods) && methods.includes('S256')) return [about.ok('pkce', 'It supports PKCE with S256.')]
  if (methods !== undefined) {
    return [
      about.problem(
        'pkce_without_s256',
        `It supports PKCE only with ${quoteUntrusted(methods)}. Every MCP client uses S256.`,
        'Permit the PKCE method S256 at the authorization server.',
      ),
    ]
  }
  return [
    about.warning(
      'pkce_not_announced',
      'Its metadata does not say that it supports PKCE (code_challenge_methods_supported is missing). ChatGPT and other clients that follow the specification to the letter refuse it.',
      'Have it published, or use the broker (`identity_provider`), whose metadata says it.',
    ),
  ]
}

function checkCodeFlow(metadata: Metadata, about: Findings): Finding[] {
  const { response_types_supported: responses, grant_types_supported: grants } = metadata
  if (!Array.isArray(responses) || !responses.includes('code')) {
    return [
      about.problem(
        'response_type_missing',
        'response_types_supported of its metadata does not list `code`. Clients refuse the document.',
        'Switch the authorization code flow on at the authorization server.',
      ),
    ]
  }
  if (Array.isArray(grants) && !grants.includes('authorization_code')) {
    return [
      about.problem(
        'grant_type_missing',
        'grant_types_supported of its metadata does not list `authorization_code`.',
        'Switch the authorization code flow on at the authorization server.',
      ),
    ]
  }
  return []
}

/** How clients make themselves known: client ID metadata documents, or RFC 7591. */
function checkRegistration(metadata: Metadata, about: Findings): Finding[] {
  const takesDocuments = metadata.client_id_metadata_document_supported === true
  const methods = metadata.token_endpoint_auth_methods_supported
  const findings: Finding[] = []
  if (takesDocuments && !(Array.isArray(methods) && methods.includes('none'))) {
    findings.push(
      about.warning(
        'documents_without_public_clients',
        'It supports client ID metadata documents, but token_endpoint_auth_methods_supported does not list `none`: Claude, Claude Code and others then do not use them.',
        'Permit public clients (`none`) at the token endpoint of the authorization server.',
      ),
    )
  }
  if (takesDocuments || typeof metadata.registration_endpoint === 'string') {
    const ways = [
      ...(takesDocuments ? ['client ID metadata documents'] : []),
      ...(typeof metadata.registration_endpoint === 'string' ? ['dynamic registration'] : []),
    ]
    return [...findings, about.ok('registration', `Clients register by ${ways.join(' or ')}.`)]
  }
  return [
    about.warning(
      'registration_missing',
      'Clients cannot register with it: it supports neither dynamic registration nor client ID metadata documents. Only clients whose id is entered by hand will connect.',
      'Enable one of the two at the authorization server, or use the broker (`identity_provider`), which has both.',
    ),
  ]
}

/** RFC 9207. Clients compare an `iss` that comes whether or not it was announced. */
function checkIssParameter({ authorization_response_iss_parameter_supported: sends }: Metadata, about: Findings): Finding[] {
  return [
    about.ok(
      'iss_parameter',
      sends === true
        ? 'It names itself in authorization responses (`iss`, RFC 9207).'
        : 'It does not announce `iss` in authorization responses (RFC 9207); clients do without.',
    ),
  ]
}

function checkQuery({ authorization_endpoint: endpoint }: Metadata, about: Findings): Finding[] {
  if (typeof endpoint !== 'string' || !endpoint.includes('?')) return []
  return [
    about.warning(
      'authorization_endpoint_query',
      'authorization_endpoint has a query. Clients made with the Python SDK append another `?` to it and fail.',
      'Publish it without a query. Put a parameter like `audience` into `authorization_parameters` of the broker.',
    ),
  ]
}

/** OpenID Connect Discovery §3: the TypeScript SDK refuses a document from such a URL that lacks them. */
function checkOpenIdMembers({ documents }: IssuerProbe, about: Findings): Finding[] {
  const needed = ['jwks_uri', 'subject_types_supported', 'id_token_signing_alg_values_supported']
  const found = documents.filter(({ answer }) => answer.kind === 'document')
  // Where RFC 8414 metadata is found, clients don't come to the others.
  if (found.some(({ form, url }) => form === 'oauth' || (form === 'named' && !url.endsWith(OPENID)))) return []
  return found.slice(0, 1).flatMap(({ url, answer }) => {
    const missing = answer.kind === 'document' ? needed.filter((name) => answer.document[name] === undefined) : []
    if (missing.length === 0) return []
    return [
      about.problem(
        'openid_members_missing',
        `The document at ${url} lacks ${missing.join(', ')}. Clients made with the TypeScript SDK refuse it.`,
        'Have the authorization server publish complete OpenID Connect metadata, or serve the document under /.well-known/oauth-authorization-server.',
      ),
    ]
  })
}

function checkScopes({ scopes_supported: listed }: Metadata, scopes: readonly string[], about: Findings): Finding[] {
  if (!Array.isArray(listed)) return []
  const missing = scopes.filter((scope) => !listed.includes(scope))
  if (missing.length === 0) return []
  return [
    about.warning(
      'scope_unknown',
      `scopes_supported of its metadata does not list ${missing.map((scope) => `\`${scope}\``).join(', ')}, which clients have to ask for. It may refuse that (invalid_scope).`,
      'Create the scope at the authorization server and permit it to clients, or correct `scopes` and `rules` of the server.',
    ),
  ]
}

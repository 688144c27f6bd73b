import { BROKER_PATHS } from '../core/broker-paths.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { EndpointPlan, ServerPlan } from '../core/plan/server-plan.ts'
import { checkAccount } from './check-account.ts'
import { checkClock } from './check-clock.ts'
import { checkCredential } from './check-credential.ts'
import { CLIENT_DOCUMENTS, checkDocuments } from './check-documents.ts'
import { checkGrants } from './check-grants.ts'
import { checkGroups, listPolicyClaims } from './check-groups.ts'
import { checkIdentityProvider } from './check-identity-provider.ts'
import { checkIntrospection } from './check-introspection.ts'
import { checkKeys } from './check-keys.ts'
import { checkMetadata } from './check-metadata.ts'
import { checkPublicUrl } from './check-public.ts'
import { checkStore } from './check-store.ts'
import { type CheckedToken, checkToken } from './check-token.ts'
import { checkHttpUpstream, checkProcess } from './check-upstream.ts'
import { describeProof } from './describe-proof.ts'
import { type ExaminedUpstream, examineNames } from './examine-names.ts'
import { type Finding, findingsAbout } from './finding.ts'
import { listPatterns } from './name-patterns.ts'
import { type ClientPrediction, predictClients } from './predict-clients.ts'
import { type DocumentFailures, probeDocuments } from './probe-documents.ts'
import { type IssuerProbe, type Metadata, probeIssuer } from './probe-issuer.ts'
import { type EndpointProbe, type PublicProbe, probePublicUrl } from './probe-public.ts'
import { probeHttpUpstream, probeProcess } from './probe-upstream.ts'
import { type Report, redactReport } from './report.ts'

/** Finds out which metadata documents of clients cannot be had. */
export type ProbeDocuments = typeof probeDocuments

/**
 * Probes everything that a configuration refers to, as clients and the proxy will. Changes nothing there. Waits at most 5 s for each
 * answer, and `start_timeout_seconds` for the first answer of an MCP server that is a process.
 *
 * @param plan - the settled configuration
 * @param token - an access token to try; the report contains neither it nor any other secret
 * @param fetchDocuments - replaces, in tests, the fetch of the metadata documents of well-known clients
 */
export async function examine(
  plan: Plan,
  token: string | undefined,
  fetchDocuments: ProbeDocuments = probeDocuments,
): Promise<Report> {
  const { broker } = plan
  const answers = await askAll(plan, token, fetchDocuments)
  const { publicUrl, documents } = answers
  const ofNames = await examineNames(answers.upstreams, token, answers.token)
  const own = broker === undefined ? [] : [await examineBroker(broker, publicUrl, documents, plan)]
  const issuers = [...answers.issuers, ...own]
  const findings = [
    ...issuers.flatMap((issuer) => issuer.findings),
    ...answers.provider,
    ...checkPublicUrl(publicUrl, plan, findingsAbout(`public URL ${plan.publicUrl}`)),
    ...checkServers(plan),
    ...answers.upstreams.flatMap((upstream) => upstream.findings),
    ...answers.credentials.flat(),
    ...ofNames,
    ...answers.store,
    ...answers.token.findings,
  ]
  return redactReport({ findings, clients: listClientCases(publicUrl, issuers, plan) }, plan, token)
}

/** Asks all at once what does not depend on the answer of another. */
async function askAll(plan: Plan, token: string | undefined, fetchDocuments: ProbeDocuments) {
  const { broker, servers } = plan
  const upstreamsOf = (server: ServerPlan) => listUpstreams(server).map((endpoint) => examineUpstream(endpoint, server, plan))
  const [publicUrl, issuers, provider, documents, upstreams, credentials, store, checkedToken] = await Promise.all([
    probePublicUrl(plan),
    Promise.all(listExternalIssuers(plan).map((issuer) => examineIssuer(issuer, plan))),
    broker === undefined ? [] : examineProvider(broker, servers),
    broker === undefined ? new Map<string, string>() : fetchDocuments(CLIENT_DOCUMENTS, broker.clientMetadata),
    Promise.all(servers.flatMap(upstreamsOf)),
    Promise.all(servers.map((server) => examineCredential(server, broker))),
    checkStore(plan.store),
    token === undefined ? skipToken() : checkToken(token, servers),
  ])
  return { publicUrl, issuers, provider, documents, upstreams, credentials, store, token: checkedToken }
}

/** What the configuration alone tells of the servers. */
function checkServers({ servers, broker }: Plan): Finding[] {
  const about = ({ name }: ServerPlan) => findingsAbout(`server ${name}`)
  return [
    ...(broker === undefined ? [] : servers.flatMap((server) => checkGrants(server, broker, about(server)))),
    ...servers.flatMap((server) => checkGroups(server, broker, about(server))),
  ]
}

function skipToken(): CheckedToken {
  const skipped = findingsAbout('access token').skipped(
    'token_not_given',
    'Audience, scopes and claims can only be checked on an actual token: pass one with --token FILE, or --token - for standard input.',
  )
  return { findings: [skipped], acceptedBy: new Set() }
}

interface ExaminedIssuer {
  readonly issuer: string
  readonly metadata: Metadata | undefined
  readonly findings: readonly Finding[]
  /** Of the documents that we fetch; undefined for issuers that fetch them themselves. */
  readonly documents?: DocumentFailures
}

/** Those whose tokens are accepted, each once, the broker excepted. */
function listExternalIssuers({ servers, broker }: Plan): IssuerPlan[] {
  const all = servers.flatMap(({ issuers }) => issuers).filter(({ issuer }) => issuer !== broker?.issuer)
  return [...new Map(all.map((issuer) => [JSON.stringify(issuer), issuer])).values()]
}

async function examineIssuer(plan: IssuerPlan, { servers }: Plan): Promise<ExaminedIssuer> {
  const about = findingsAbout(`issuer ${plan.issuer}`)
  const [probe, ofIntrospection] = await Promise.all([probeIssuer(plan), checkIntrospection(plan, about)])
  const users = servers.filter(({ issuers }) => issuers.some(({ issuer }) => issuer === plan.issuer))
  const scopes = [...new Set(users.flatMap(({ scopesSupported }) => scopesSupported))]
  const findings = [
    ...checkMetadata(probe, scopes, about),
    ...checkKeys(probe, plan, about),
    ...checkClock(probe, plan.clockToleranceSeconds, about),
    ...ofIntrospection,
  ]
  return { issuer: plan.issuer, metadata: probe.metadata, findings }
}

function examineProvider({ identityProvider, issuer }: BrokerPlan, servers: readonly ServerPlan[]): Promise<Finding[]> {
  const about = findingsAbout(`identity provider ${identityProvider.name} (${identityProvider.issuer})`)
  const ofBroker = servers.filter(({ issuers }) => issuers.some((one) => one.issuer === issuer))
  const claims = listPolicyClaims(ofBroker, identityProvider.groups.claim)
  return checkIdentityProvider(identityProvider, { callback: `${issuer}${BROKER_PATHS.callback}`, claims }, about)
}

/** Our own authorization server: what it shows where it runs, else what it will show. */
async function examineBroker(
  plan: BrokerPlan,
  { endpoints }: PublicProbe,
  documents: DocumentFailures,
  { servers, egress }: Plan,
): Promise<ExaminedIssuer> {
  const { issuer } = plan
  const about = findingsAbout(`authorization server of the proxy (${issuer})`)
  const ofDocuments = checkDocuments(documents, about)
  const isRunning = endpoints.some(({ first }) => first.kind === 'answer' && first.answer.status === 401)
  if (!isRunning) return { issuer, metadata: describeBroker(plan), findings: ofDocuments, documents }
  const probe: IssuerProbe = await probeIssuer({ ...plan.issuerPlan, egress, allowPrivateNetwork: true })
  const scopes = [...new Set(servers.flatMap(({ scopesSupported }) => scopesSupported))]
  return { issuer, metadata: probe.metadata, findings: [...checkMetadata(probe, scopes, about), ...ofDocuments], documents }
}

function describeBroker({ issuer, registration, clientMetadata }: BrokerPlan): Metadata {
  const { provider } = BROKER_PATHS
  return {
    issuer,
    authorization_endpoint: `${issuer}${provider.authorization}`,
    token_endpoint: `${issuer}${provider.token}`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none'],
    ...(registration.enabled && { registration_endpoint: `${issuer}${provider.registration}` }),
    client_id_metadata_document_supported: clientMetadata.enabled,
  }
}

/** One endpoint for each upstream: a process serves several, and messages go where the stream says. */
function listUpstreams({ endpoints }: ServerPlan): EndpointPlan[] {
  const named = endpoints.filter(({ kind }) => kind !== 'messages')
  return [
    ...new Map(named.map((endpoint) => [endpoint.upstream.kind === 'http' ? endpoint : endpoint.upstream, endpoint])).values(),
  ]
}

async function examineUpstream(endpoint: EndpointPlan, server: ServerPlan, plan: Plan): Promise<ExaminedUpstream> {
  const { upstream, kind } = endpoint
  const about = findingsAbout(`server ${server.name}`)
  if (upstream.kind === 'stdio') {
    const probe = await probeProcess(upstream, listPatterns(server.policy).length > 0)
    return { server, endpoint, url: undefined, findings: [checkProcess(probe, upstream, about)], items: probe.items }
  }
  const brings = describeProof(server, upstream.url, plan)
  const probe = await probeHttpUpstream(upstream, kind)
  const findings = checkHttpUpstream({ kind, upstream, probe, brings }, plan, about)
  return { server, endpoint, url: probe.followed, findings, items: undefined }
}

function examineCredential({ name, credential }: ServerPlan, broker: BrokerPlan | undefined): Promise<Finding[]> {
  const about = findingsAbout(`server ${name}`)
  if (credential.kind === 'own_account' && broker !== undefined) return checkAccount(credential.account, broker, about)
  return credential.kind === 'delegated' ? checkCredential(credential.delegation, about) : Promise.resolve([])
}

function listClientCases({ endpoints }: PublicProbe, issuers: readonly ExaminedIssuer[], plan: Plan): ClientPrediction[] {
  return plan.servers.flatMap((server) =>
    endpoints
      .filter(({ endpoint }) => server.endpoints.includes(endpoint))
      .flatMap((probe) => {
        // Most clients take the first of several, and so does this.
        const issuer = server.issuers[0]?.issuer
        // Access keys only: clients that sign users in are not for it.
        if (issuer === undefined) return []
        const { metadata, documents } = issuers.find((one) => one.issuer === issuer) ?? {}
        const { endpoint } = probe
        return predictClients(
          { server, endpoint, probe: isAnswered(probe) ? probe : undefined, issuer, metadata, documents },
          plan,
        )
      }),
  )
}

function isAnswered({ first }: EndpointProbe): boolean {
  return first.kind === 'answer'
}

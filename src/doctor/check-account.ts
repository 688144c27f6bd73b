import { AccountError } from '../broker/upstream-accounts/account-error.ts'
import { openAccountFetch } from '../broker/upstream-accounts/account-fetch.ts'
import { type AccountServer, createAccountServers } from '../broker/upstream-accounts/account-server.ts'
import { type DiscoveredResource, discoverResource } from '../broker/upstream-accounts/discovery.ts'
import { formatAccountCallback, nameMeeting } from '../core/account-meeting.ts'
import { systemClock } from '../core/clock.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { OwnAccountPlan } from '../core/plan/own-account-plan.ts'
import { capitalize, endSentence } from '../core/sentence.ts'
import { explainFailure } from './failure.ts'
import type { Finding, Findings } from './finding.ts'
import { openProviderUrls } from './provider-urls.ts'
import { quoteUntrusted } from './untrusted-text.ts'

/** Finds the authorization server of an MCP server with accounts of users, as the proxy does when a user connects one. */
export async function checkAccount(plan: OwnAccountPlan, broker: BrokerPlan, about: Findings): Promise<Finding[]> {
  const { fetch, serverFetch, close } = openAccountFetch(plan)
  const { reserved, close: closeProvider } = openProviderUrls(broker)
  try {
    const resource = await look('account_resource', about, () => discoverResource(plan, fetch))
    if ('verdict' in resource) return [resource]
    const servers = createAccountServers(serverFetch, systemClock, { ...plan, reserved })
    const server = await look('account_server', about, () => servers.find(resource.issuer))
    if ('verdict' in server) return [server]
    return [
      ...checkResource(resource, about),
      ...checkServer(server, plan, about),
      checkClient(server, plan, broker.issuer, about),
    ]
  } finally {
    await Promise.all([close(), closeProvider()])
  }
}

async function look<T extends object>(id: string, about: Findings, question: () => Promise<T>): Promise<T | Finding> {
  try {
    return await question()
  } catch (error) {
    const { reason, fix } = explainFailure(error)
    // Its message says which of the three did not answer; that of its cause need not.
    const isOurs = error instanceof AccountError
    return about.problem(
      id,
      endSentence(`Users cannot connect accounts: ${isOurs ? error.message : reason}`),
      (isOurs && error.remedy) || fix,
    )
  }
}

function checkResource({ resource, issuer, isAsking, isNamed }: DiscoveredResource, about: Findings): Finding[] {
  const found = about.ok('account', `Users connect accounts at ${issuer}, for the resource ${resource}.`)
  if (!isAsking)
    return [
      found,
      about.warning(
        'account_unasked',
        'The MCP server does not ask for a token (401 with `WWW-Authenticate: Bearer`) when it gets none.',
        'If it needs none, remove `credential: own_account`: without an account users cannot call it.',
      ),
    ]
  if (isNamed) return [found]
  return [
    found,
    about.warning(
      'account_unnamed',
      `The MCP server has no metadata that names its authorization server. The proxy takes ${issuer} for it, as in 2025-03-26.`,
      'Have it publish metadata (RFC 9728), or write `credential.issuer`.',
    ),
  ]
}

function checkServer(server: AccountServer, { issuer, scopes }: OwnAccountPlan, about: Findings): Finding[] {
  const unknown = server.scopesSupported.length === 0 ? [] : scopes.filter((scope) => !server.scopesSupported.includes(scope))
  return [
    ...(server.namesItself || issuer !== undefined
      ? []
      : [
          about.warning(
            'account_mix_up',
            `${server.issuer} does not name itself in its responses (\`iss\`, RFC 9207): an MCP server that names another authorization server could pass on what this one issues.`,
            `Write \`credential.issuer: ${server.issuer}\`.`,
          ),
        ]),
    ...(unknown.length === 0
      ? []
      : [
          about.warning(
            'account_scopes',
            `${server.issuer} does not list the scopes ${unknown.join(' ')} (\`scopes_supported\`).`,
            'Correct `credential.scopes`, unless the authorization server keeps some to itself.',
          ),
        ]),
  ]
}

/** Nothing is registered: that would leave a client behind. */
function checkClient(server: AccountServer, plan: OwnAccountPlan, publicUrl: string, about: Findings): Finding {
  const { issuer, takesDocuments, registrationEndpoint } = server
  const callback = formatAccountCallback(publicUrl, nameMeeting(plan.server, issuer))
  if (plan.client !== undefined) return checkConfigured(server, plan.client, callback, about)
  if (takesDocuments && publicUrl.startsWith('https:'))
    return about.ok(
      'account_client',
      `${issuer} takes a metadata document of the proxy as its client. It must be able to fetch it: from ${publicUrl}.`,
    )
  if (registrationEndpoint !== undefined)
    return about.ok(
      'account_client',
      `The proxy registers as a client at ${issuer} when the first user connects an account (not tried here).`,
    )
  const byHand = `register a client there with the redirect URI ${callback}, and write \`client_id\`, \`client_secret\` and \`issuer: ${issuer}\` into \`credential\``
  const fix = takesDocuments ? `Use https in \`public_url\`, or ${byHand}.` : `${capitalize(byHand)}.`
  return about.problem('account_client', `The proxy cannot make itself known at ${issuer}.`, fix)
}

function checkConfigured(
  { issuer, authenticationMethods }: AccountServer,
  { clientId, clientAuthentication: { method } }: NonNullable<OwnAccountPlan['client']>,
  callback: string,
  about: Findings,
): Finding {
  if (authenticationMethods.includes(method))
    return about.ok('account_client', `The client ${clientId} is used at ${issuer}. It needs the redirect URI ${callback} there.`)
  return about.warning(
    'account_client',
    `${issuer} does not list \`${method}\` as a way for clients to authenticate, but ${quoteUntrusted(authenticationMethods.join(' '))}.`,
    'Write `credential.client_authentication` as the client is registered there.',
  )
}

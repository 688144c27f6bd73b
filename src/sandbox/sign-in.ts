import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { errors, type Grant, type Interaction, type Provider } from 'oidc-provider'
import type { Page } from '../broker/pages/page.ts'
import { type Asking, renderConsentPage, renderErrorPage, renderSignInPage } from './pages.ts'
import type { ProviderPlan } from './provider.ts'
import { findUser, IDENTITY_SCOPE, type User } from './users.ts'

/** Where sign-in and consent take place; the last segment is the interaction's id. */
export const SIGN_IN_PATH = /^\/sign-in\/[\w-]+$/

/** A request to a sign-in or consent page. */
interface PageRequest {
  readonly provider: Provider
  readonly plan: ProviderPlan
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly interaction: Interaction
  readonly asking: Asking
}

/** Shows the page that an authorization request needs, or takes in its form. */
export async function handleSignIn(
  provider: Provider,
  plan: ProviderPlan,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const interaction = await provider.interactionDetails(request, response)
    const asking = await findAsking(provider, interaction)
    const pageRequest: PageRequest = { provider, plan, request, response, interaction, asking }
    await (request.method === 'POST' ? takeForm(pageRequest) : sendPage(response, 200, renderNeededPage(pageRequest)))
  } catch (error) {
    if (!(error instanceof errors.OIDCProviderError)) throw error
    const isOver = error instanceof errors.SessionNotFound
    const why = isOver ? 'This sign-in has expired, or it was started in another browser.' : error.error_description
    sendPage(response, error.status, renderErrorPage({ error: error.error, error_description: why }))
  }
}

async function findAsking(provider: Provider, { params }: Interaction): Promise<Asking> {
  const client = await provider.Client.find(String(params.client_id))
  return { clientName: client?.clientName ?? String(params.client_id), redirectUri: String(params.redirect_uri) }
}

function renderNeededPage({ asking, interaction, plan }: PageRequest): Page {
  if (interaction.prompt.name === 'login') return renderSignInPage(asking)
  const wanted = [IDENTITY_SCOPE, ...plan.scopes].filter(({ name }) => listScopes(interaction).includes(name))
  return renderConsentPage(asking, findSignedIn(plan, interaction), findResource(interaction), wanted)
}

async function takeForm(pageRequest: PageRequest): Promise<void> {
  const form = new URLSearchParams(await readForm(pageRequest.request))
  const action = form.get('action')
  if (action === 'cancel') return finish(pageRequest, { error: 'access_denied', error_description: 'The user denied access' })
  if (action === 'switch') return switchUser(pageRequest)
  if (action === 'allow' && pageRequest.interaction.prompt.name === 'consent') return allow(pageRequest)
  if (action === 'sign-in' && pageRequest.interaction.prompt.name === 'login') return signIn(pageRequest, form)
  // Also reached by going back in the browser and sending an old form: show what is needed now.
  return sendPage(pageRequest.response, 200, renderNeededPage(pageRequest))
}

async function signIn(pageRequest: PageRequest, form: URLSearchParams): Promise<void> {
  const name = form.get('name') ?? ''
  const user = findUser(pageRequest.plan.users, name, form.get('password') ?? '')
  if (user !== undefined) return finish(pageRequest, { login: { accountId: user.name } })
  return sendPage(pageRequest.response, 401, renderSignInPage(pageRequest.asking, { name }))
}

/** Scopes of the provider itself; consent to a client includes them. */
const OIDC_SCOPES = new Set(['openid', 'offline_access', 'profile', 'email', 'groups'])

async function allow(pageRequest: PageRequest): Promise<void> {
  const { interaction, provider } = pageRequest
  const user = findSignedIn(pageRequest.plan, interaction)
  const grant = new provider.Grant({ accountId: user.name, clientId: String(interaction.params.client_id) })
  const asked = listScopes(interaction)
  grant.addOIDCScope(asked.filter((scope) => OIDC_SCOPES.has(scope)).join(' '))
  const resource = findResource(interaction)
  if (resource !== undefined) addResourceScopes(grant, resource, asked, user)
  return finish(pageRequest, { consent: { grantId: await grant.save() } })
}

function addResourceScopes(grant: Grant, resource: string, asked: readonly string[], user: User): void {
  const granted = asked.filter((scope) => user.mayGrant.includes(scope))
  grant.addResourceScope(resource, granted.join(' '))
  // Or the provider would ask for them without end.
  grant.rejectResourceScope(resource, asked.filter((scope) => !granted.includes(scope)).join(' '))
}

/** Ends the browser's session and begins the same authorization request again. */
async function switchUser({ provider, plan, interaction, response }: PageRequest): Promise<void> {
  const session = interaction.session && (await provider.Session.findByUid(interaction.session.uid))
  await session?.destroy()
  const again = new URL('/authorize', plan.issuer)
  for (const [name, value] of Object.entries(interaction.params)) {
    if (typeof value === 'string') again.searchParams.set(name, value)
  }
  response.writeHead(303, { Location: again.href, 'Content-Length': 0 }).end()
}

/** Signs in and consents without a page, for clients that have no browser. */
export async function approveAtOnce(
  provider: Provider,
  plan: ProviderPlan,
  user: User,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const interaction = await provider.interactionDetails(request, response)
  const pageRequest: PageRequest = {
    provider,
    plan,
    request,
    response,
    interaction,
    asking: await findAsking(provider, interaction),
  }
  return interaction.prompt.name === 'login' ? finish(pageRequest, { login: { accountId: user.name } }) : allow(pageRequest)
}

function findSignedIn(plan: ProviderPlan, interaction: Interaction): User {
  const user = plan.users.find(({ name }) => name === interaction.session?.accountId)
  if (user === undefined) throw new errors.SessionNotFound('no user is signed in')
  return user
}

function listScopes({ params }: Interaction): string[] {
  return typeof params.scope === 'string' ? params.scope.split(' ') : []
}

function findResource({ params }: Interaction): string | undefined {
  return typeof params.resource === 'string' ? params.resource : undefined
}

async function finish(
  { provider, request, response }: PageRequest,
  result: Parameters<Provider['interactionFinished']>[2],
): Promise<void> {
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: 'consent' in result })
}

function sendPage(response: ServerResponse, status: number, page: Page): void {
  response.writeHead(status, { ...page.headers }).end(page.html)
}

/** Longest form that is read; a name and a password are far below. */
const FORM_LIMIT = 16 * 1024

async function readForm(request: IncomingMessage): Promise<string> {
  const length = Number(request.headers['content-length'])
  if (!(length <= FORM_LIMIT)) throw new errors.InvalidRequest('the form is too long')
  return text(request)
}

import * as oauth from 'oauth4webapi'
import { BoundedMap } from '../../core/bounded-map.ts'
import type { Clock } from '../../core/clock.ts'
import type { Encryption } from '../../core/encryption.ts'
import type { RegistrationPlan } from '../../core/plan/broker-plan.ts'
import type { AsgardeoPlan, IdentityProviderPlan } from '../../core/plan/identity-provider-plan.ts'
import type { Store } from '../../core/store.ts'
import { createAdminToken } from '../../identity/asgardeo-admin-token.ts'
import { createAsgardeoApi } from '../../identity/asgardeo-api.ts'
import { type AsgardeoClient, createAsgardeoRegistrar } from '../../identity/asgardeo-registrar.ts'
import type { SafeFetch } from '../../oauth/safe-fetch.ts'
import { GRANTED_SCOPES } from '../identity-provider/access-rules.ts'
import { guard, IdentityProviderError } from '../identity-provider/error.ts'
import { createIdentityProvider, type IdentityProvider } from '../identity-provider/identity-provider.ts'
import type { AskingClient, KeepRefreshToken, PendingSignIn, SignedInUser } from '../identity-provider/signed-in-user.ts'
import { type AsgardeoApplications, createAsgardeoApplications } from './applications.ts'

export interface AsgardeoOptions {
  readonly plan: IdentityProviderPlan & { readonly asgardeo: AsgardeoPlan }
  readonly registration: RegistrationPlan
  readonly redirectUri: string
  readonly outboundFetch: SafeFetch
  readonly store: Store
  readonly encryption: Encryption
  readonly clock: Clock
  readonly onIssue: (message: string) => void
}

/** Asgardeo as identity provider, through applications that are made there as they are needed. */
export interface AsgardeoIdentityProvider extends IdentityProvider {
  /** Creates the application that all MCP clients share, retrying until it succeeds, and deletes unused applications. */
  warm(): void
  close(): void
}

const SWEEP_MS = 10 * 60_000
/** Identity providers that are kept at hand, each with metadata and keys of its own. */
const MAX_KEPT = 100

interface Session extends AsgardeoOptions {
  readonly applications: AsgardeoApplications
  readonly providers: BoundedMap<string, IdentityProvider>
}

export function createAsgardeoIdentityProvider(options: AsgardeoOptions): AsgardeoIdentityProvider {
  const onIssue = (message: string) => options.onIssue(`identity provider: ${message}`)
  const session: Session = {
    ...options,
    onIssue,
    applications: openApplications({ ...options, onIssue }),
    providers: new BoundedMap(MAX_KEPT),
  }
  const tasks: Tasks = { make: () => {}, sweep: () => {}, over: false }
  return {
    createAuthorizationUrl: (pending, wish) => guard(() => createAuthorizationUrl(session, pending, wish)),
    finishSignIn: (answer, pending) => guard(() => finishSignIn(session, answer, pending)),
    refresh: (user, keep) => guard(() => refresh(session, user, keep)),
    confirm: (user) => guard(() => confirm(session, user)),
    revoke: (user) => guard(async () => openProvider(session, await findApplication(session, user)).revoke(user)),
    // Whatever its applications, they are at its own address.
    listEndpoints: () => Promise.resolve([options.plan.asgardeo.base]),
    warm() {
      if (options.plan.asgardeo.registration === 'application') keepTrying(session, tasks)
      keepSweeping(session, tasks)
    },
    close() {
      tasks.over = true
      tasks.make()
      tasks.sweep()
    },
  }
}

function openApplications(options: AsgardeoOptions): AsgardeoApplications {
  const { plan, redirectUri, outboundFetch, clock, onIssue } = options
  const { base, admin, api } = plan.asgardeo
  const token = createAdminToken({ base, ...admin, scopes: listAdminScopes(plan.asgardeo), outboundFetch, clock })
  const registrar = createAsgardeoRegistrar({
    api: createAsgardeoApi({ base, token, outboundFetch }),
    callbackUrl: redirectUri,
    authorize: api,
    onIssue,
  })
  const { registration, store, encryption } = options
  return createAsgardeoApplications({
    plan: plan.asgardeo,
    registration,
    redirectUri,
    registrar,
    store,
    encryption,
    clock,
    onIssue,
  })
}

/** What is needed at most; what the admin client is not authorized for is left out by Asgardeo. */
function listAdminScopes({ registration, api }: AsgardeoPlan): string[] {
  return [
    'internal_application_mgt_create',
    'internal_application_mgt_delete',
    'internal_application_mgt_update',
    'internal_application_mgt_view',
    ...(registration === 'application' ? ['internal_application_mgt_client_secret_view'] : []),
    ...(registration === 'per_client' ? ['internal_dcr_create', 'internal_dcr_delete'] : []),
    ...(api === undefined ? [] : ['internal_api_resource_view', 'internal_application_business_api_update']),
  ]
}

/** What is planned: each ends by being called. */
interface Tasks {
  make: () => void
  sweep: () => void
  over: boolean
}

function keepTrying(session: Session, tasks: Tasks): void {
  const { applications, clock, onIssue } = session
  applications.obtain().catch((error: Error) => {
    if (tasks.over) return
    const delay = Math.max(1000, applications.backOff.delay)
    onIssue(`${error.message}; users cannot sign in until then. Retrying in ${Math.ceil(delay / 1000)} s`)
    tasks.make = clock.after(delay, () => keepTrying(session, tasks))
  })
}

function keepSweeping(session: Session, tasks: Tasks): void {
  const { applications, clock, onIssue } = session
  applications
    .sweep()
    .catch((error: Error) => {
      if (!tasks.over) onIssue(`unused applications could not be listed: ${error.message}`)
    })
    .finally(() => {
      if (!tasks.over) tasks.sweep = clock.after(SWEEP_MS, () => keepSweeping(session, tasks))
    })
}

function chooseAsking({ plan }: Session, { asking }: PendingSignIn): AskingClient | undefined {
  return plan.asgardeo.registration === 'per_client' ? asking : undefined
}

async function createAuthorizationUrl(
  session: Session,
  pending: PendingSignIn,
  wish: Parameters<IdentityProvider['createAuthorizationUrl']>[1],
): Promise<URL> {
  const client = await session.applications.obtain(chooseAsking(session, pending))
  return openProvider(session, client).createAuthorizationUrl(pending, wish)
}

async function finishSignIn(session: Session, answer: URLSearchParams, pending: PendingSignIn): Promise<SignedInUser> {
  const asking = chooseAsking(session, pending)
  const client = await session.applications.find(asking?.id)
  if (client === undefined)
    throw new IdentityProviderError('ended', 'the application through which the sign-in was started no longer exists')
  const user = await watch(session, asking?.id, client, () => openProvider(session, client).finishSignIn(answer, pending))
  await session.applications.noteUse(asking?.id)
  return describe(user, asking?.id)
}

async function refresh(session: Session, user: SignedInUser, keep: KeepRefreshToken): Promise<SignedInUser> {
  const client = await findApplication(session, user)
  const fresh = await watch(session, user.via, client, () => openProvider(session, client).refresh(user, keep))
  await session.applications.noteUse(user.via)
  return describe(fresh, user.via)
}

async function confirm(session: Session, user: SignedInUser): Promise<SignedInUser | undefined> {
  const client = await findApplication(session, user)
  const fresh = await openProvider(session, client).confirm(user)
  return fresh && describe(fresh, user.via)
}

async function findApplication({ applications }: Session, { via }: SignedInUser): Promise<AsgardeoClient> {
  const client = await applications.find(via)
  if (client !== undefined) return client
  throw new IdentityProviderError('ended', 'the application through which the user signed in no longer exists')
}

function describe(user: SignedInUser, via: string | undefined): SignedInUser {
  // Only what is said counts. "All that was asked for" (RFC 6749 §5.1) may be what the user made of the request in the address bar.
  const granted = user.tokens.scopes ?? []
  return { ...user, claims: { ...user.claims, [GRANTED_SCOPES]: granted }, ...(via !== undefined && { via }) }
}

/** Forgets an application that is not accepted any more: it was deleted, or its secret changed. The next sign-in finds or makes another. */
async function watch<T>(
  { applications, onIssue }: Session,
  clientId: string | undefined,
  client: AsgardeoClient,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof IdentityProviderError && isRefusal(error.cause)) {
      await applications.forget(clientId, client)
      onIssue('Asgardeo no longer accepts the credentials of the application; the next sign-in looks it up again')
    }
    throw error
  }
}

function isRefusal(cause: unknown): boolean {
  if (cause instanceof oauth.ResponseBodyError) return cause.error === 'invalid_client'
  return cause instanceof oauth.WWWAuthenticateChallengeError && cause.status === 401
}

function openProvider({ plan, providers, redirectUri, outboundFetch, clock }: Session, client: AsgardeoClient): IdentityProvider {
  const key = `${client.clientId} ${client.clientSecret}`
  const clientAuthentication = { method: 'client_secret_post', secret: client.clientSecret } as const
  const provider =
    providers.get(key) ??
    createIdentityProvider({
      plan: { ...plan, clientId: client.clientId, clientAuthentication },
      redirectUri,
      outboundFetch,
      clock,
    })
  // Set anew each time, so that the one that was not used for the longest time is evicted.
  providers.set(key, provider)
  return provider
}

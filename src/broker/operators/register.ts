import type { Clock } from '../../core/clock.ts'
import { createEncryptedCollection } from '../../core/encrypted-collection.ts'
import type { Encryption } from '../../core/encryption.ts'
import { ProxyError } from '../../core/errors.ts'
import { hashId } from '../../core/hash-id.ts'
import { isObject } from '../../core/is-object.ts'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import type { RegisteredSession, SignInRegister, SignIns } from '../../core/sign-in-register.ts'
import type { Store } from '../../core/store.ts'
import { readGroups } from '../../oauth/groups.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { IdentityProvider } from '../identity-provider/identity-provider.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { groupOfClient } from '../storage/oidc-adapter.ts'
import type { Revocations } from '../tokens/revocation.ts'
import { listClients } from './listed-clients.ts'
import { readEntries, readEntry } from './read-entries.ts'

export interface RegisterOptions {
  readonly plan: BrokerPlan
  readonly store: Store
  readonly encryption: Encryption
  readonly accounts: Accounts
  readonly identityProvider: IdentityProvider
  readonly revocations: Revocations
  readonly clock: Clock
}

/** Reads what the broker keeps of its users, and ends it. */
export function createRegister(options: RegisterOptions): SignInRegister {
  const { plan, store, encryption, accounts, identityProvider, revocations } = options
  const stored = createEncryptedCollection<SignedInUser>(store, encryption, 'Account', hashId)
  return {
    issuer: plan.issuer,
    list: () => list(options),
    async endUser(subject) {
      const user = await stored.find(subject)
      await accounts.shutOut(subject)
      if (user === undefined) return { wasKnown: false, atProvider: 'no_token' }
      // Here the user is out, whatever the identity provider answers.
      return { wasKnown: true, atProvider: await identityProvider.revoke(user).catch(() => 'failed' as const) }
    },
    endSignIn: (subject) => accounts.end(subject),
    async findBySession(sid) {
      const { entries, isCut } = await readEntries(store, encryption, 'Account')
      const users = entries.map(({ value }) => value as unknown as SignedInUser)
      const found = users.filter(({ claims }) => claims.sid === sid).map(({ subject }) => subject)
      if (found.length === 0 && isCut)
        throw new ProxyError('store_unavailable', { cause: 'too many users to find one by session' })
      return found
    },
    async endClient(clientId) {
      const { clients, isCut } = await list(options)
      await store.deleteGroup(groupOfClient(clientId))
      revocations.forget()
      return clients.some((client) => client.clientId === clientId) || (isCut ? undefined : false)
    },
    async endSession(id) {
      const session = await findSession(id, options)
      // A refresh token whose grant is gone is refused (RFC 6749 §5.2, `invalid_grant`).
      if (session !== undefined) await store.take(KINDS[session.kind], id)
      revocations.forget()
      return session
    },
  }
}

const KINDS = { client: 'Grant', browser: 'Session' } as const

async function findSession(id: string, { store, encryption }: RegisterOptions): Promise<RegisteredSession | undefined> {
  for (const kind of ['client', 'browser'] as const) {
    const payload = await readEntry(store, encryption, KINDS[kind], id)
    const session = payload && readSession(id, kind, payload)
    if (session !== undefined) return session
  }
  return undefined
}

async function list(options: RegisterOptions): Promise<SignIns> {
  const { store, encryption, plan } = options
  const [accounts, grants, browsers, clients] = await Promise.all(
    (['Account', 'Grant', 'Session', 'Client'] as const).map((kind) => readEntries(store, encryption, kind)),
  )
  if (!accounts || !grants || !browsers || !clients) throw new Error('four kinds are read')
  const sessions = [
    ...grants.entries.flatMap(({ id, value }) => readSession(id, 'client', value) ?? []),
    ...browsers.entries.flatMap(({ id, value }) => readSession(id, 'browser', value) ?? []),
  ]
  return {
    users: accounts.entries.map(({ value }) => describeUser(value as unknown as SignedInUser, plan)),
    clients: listClients(plan.clients, clients.entries, sessions),
    sessions,
    isCut: [accounts, grants, browsers, clients].some(({ isCut }) => isCut),
  }
}

function describeUser({ subject, claims, tokens, authTime }: SignedInUser, { identityProvider }: BrokerPlan) {
  const text = (name: string) => (typeof claims[name] === 'string' ? claims[name] : undefined)
  return {
    subject,
    name: text('name') ?? text('preferred_username') ?? text('login'),
    email: text('email'),
    groups: readGroups(claims, identityProvider.groups).groups,
    signedInAt: authTime === undefined ? tokens.askedAt : authTime * 1000,
  }
}

type Payload = Readonly<Record<string, unknown>>

/** A browser that has not signed in yet has a session, too. */
function readSession(id: string, kind: RegisteredSession['kind'], payload: Payload): RegisteredSession | undefined {
  const { accountId, clientId, iat, exp, resources, loginTs } = payload
  if (typeof accountId !== 'string') return undefined
  const granted = isObject(resources) ? Object.entries(resources) : []
  const scopes = granted.flatMap(([, text]) => (typeof text === 'string' ? text.split(' ') : []))
  // Zero where the identity provider did not say when the user signed in.
  const started = typeof loginTs === 'number' && loginTs > 0 ? loginTs : iat
  return {
    id,
    kind,
    subject: accountId,
    clientId: typeof clientId === 'string' ? clientId : undefined,
    scopes: [...new Set(scopes)].filter((scope) => scope !== ''),
    resources: granted.map(([resource]) => resource),
    startedAt: typeof started === 'number' ? started * 1000 : undefined,
    expiresAt: typeof exp === 'number' ? exp * 1000 : undefined,
  }
}

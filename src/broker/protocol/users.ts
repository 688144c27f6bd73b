import { type Configuration, errors, type Grant, type KoaContextWithOIDC } from 'oidc-provider'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import type { OnEvent } from '../../core/security-event.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { Resources } from '../clients/resources.ts'
import { listUserScopes } from '../identity-provider/access-rules.ts'
import { IdentityProviderError } from '../identity-provider/error.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { lacksAccount } from '../sign-in/away-account.ts'
import type { Consents } from '../sign-in/consents.ts'
import type { UpstreamAccounts } from '../upstream-accounts/upstream-accounts.ts'

interface UserOptions {
  readonly plan: BrokerPlan
  readonly resources: Resources
  readonly accounts: Accounts
  readonly consents: Consents
  readonly upstreamAccounts: UpstreamAccounts
  readonly report: OnEvent
}

/** How the OAuth provider finds users, and what they allowed before. */
export function planUsers(options: UserOptions): Configuration {
  const { accounts, consents, resources, plan, upstreamAccounts, report } = options
  return {
    async findAccount(ctx, subject, token) {
      const user = await findUser(ctx, subject, token, options)
      return user && { accountId: subject, claims: () => ({ sub: subject }) }
    },
    async loadExistingGrant(ctx) {
      const grantId = ctx.oidc.result?.consent?.grantId
      if (grantId !== undefined) return ctx.oidc.provider.Grant.find(grantId)
      const user = await accounts.find(ctx.oidc.session?.accountId ?? '')
      const resource = resources.find(String(ctx.oidc.params?.resource))
      if (user === undefined || resource === undefined) return undefined
      // The account is connected as a step of a sign-in that the user sees.
      const account = upstreamAccounts.find(resource.name)
      if (account !== undefined && (await lacksAccount(account, user.subject))) return undefined
      const grant = await consents.recall(ctx, listUserScopes(user.claims, plan.identityProvider, resource.scopes))
      if (grant !== undefined) reportRecalled(grant, resource.identifier, report)
      return grant
    },
  }
}

function reportRecalled(
  { jti: grantId, accountId: subject, clientId, ...grant }: Grant,
  resource: string,
  report: OnEvent,
): void {
  const scopes = Object.values(grant.resources ?? {}).flatMap((granted) => granted.split(' '))
  report({ kind: 'consent', outcome: 'success', remembered: true, subject, clientId, resource, scopes, grantId })
}

async function findUser(
  { oidc }: KoaContextWithOIDC,
  subject: string,
  token: { readonly kind?: string } | undefined,
  { accounts, resources }: UserOptions,
): Promise<SignedInUser | undefined> {
  if (token === undefined) {
    // A browser that is signed in is so for as long as the identity provider's last word holds; that of now does.
    const isNew = oidc.result?.login !== undefined
    return isNew ? accounts.find(subject) : accounts.findRecent(subject)
  }
  if (token.kind !== 'RefreshToken') return accounts.find(subject)
  const { resource } = token as { readonly resource?: unknown }
  const needsToken = [resource].flat().some((identifier) => resources.find(String(identifier))?.needsProviderToken === true)
  // A refresh goes on for as long as the user's session with the identity provider does.
  return askProvider(async () => {
    const user = await accounts.findCurrent(subject)
    return user === undefined || !needsToken ? user : accounts.findWithToken(subject)
  })
}

async function askProvider<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof IdentityProviderError)) throw error
    const answer = new errors.TemporarilyUnavailable('the identity provider cannot be reached right now', { cause: error })
    throw Object.assign(answer, { status: 503, statusCode: 503, expose: true })
  }
}

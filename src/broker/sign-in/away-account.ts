import type { EncryptedCollection } from '../../core/encrypted-collection.ts'
import type { EndpointRequest } from '../../core/endpoint-request.ts'
import type { SignedInUser } from '../identity-provider/signed-in-user.ts'
import { groupOfAccount } from '../storage/oidc-adapter.ts'
import type { PendingConnection } from '../upstream-accounts/connecting.ts'
import type { UpstreamAccount, UpstreamAccounts } from '../upstream-accounts/upstream-accounts.ts'

/** A user who was sent to the authorization server of an MCP server. */
export interface AwayAccount extends PendingConnection {
  readonly subject: string
  /** The secret of the browser that it began in: of one that came to our page, that of its visit. */
  readonly browser: string
  /** The sign-in that goes on then; undefined for a user who came to our page. */
  readonly signIn: { readonly uid: string; readonly isNew: boolean } | undefined
}

/** A user at a page of ours. */
export interface Visitor {
  readonly user: SignedInUser
  /** Of the visits, one for each time that the user has signed in, the newest first: the browser has got them then. */
  readonly secrets: readonly [string, ...string[]]
}

/** What connecting accounts works with. */
export interface AccountConnecting {
  readonly accounts: UpstreamAccounts
  readonly away: EncryptedCollection<AwayAccount>
  /** How long a user may take there, in milliseconds. */
  readonly awayMs: number
  /** The user whose browser it is, as far as our pages know; undefined where they do not. */
  readonly findVisitor: (incoming: EndpointRequest) => Promise<Visitor | undefined>
  /** Called when a user has signed in in a browser: of another one it is no more. */
  readonly endOtherVisit: (incoming: EndpointRequest, subject: string) => Promise<void>
}

/** Makes a request to an authorization server of an MCP server. Returns where to send the browser. */
export async function beginAway(
  account: UpstreamAccount,
  who: Pick<AwayAccount, 'subject' | 'browser' | 'signIn'>,
  { more, away, expiresAt }: { readonly more: readonly string[]; readonly expiresAt: number } & Pick<AccountConnecting, 'away'>,
): Promise<URL> {
  const { url, pending } = await account.begin(more)
  await away.put(pending.state, { ...pending, ...who }, { expiresAt, groups: [groupOfAccount(who.subject)] })
  return url
}

/** Whether a user has no account of use at an MCP server. A question that cannot be answered right now is no. */
export async function lacksAccount(account: UpstreamAccount, subject: string): Promise<boolean> {
  if ((await account.look(subject)) === undefined) return true
  return account.tokens.find(subject).then(
    (token) => token === undefined,
    () => false,
  )
}

import { createEncryptedCollection, type EncryptedCollection } from '../../core/encrypted-collection.ts'
import type { EndpointRequest } from '../../core/endpoint-request.ts'
import { hashId } from '../../core/hash-id.ts'
import { explainDenial, mayUserSignIn } from '../identity-provider/access-rules.ts'
import { createPendingSignIn } from '../identity-provider/sign-in.ts'
import type { PendingSignIn, SignedInUser } from '../identity-provider/signed-in-user.ts'
import { renderGoOnPage } from '../pages/page.ts'
import {
  createCookieId,
  createSecret,
  createSecretCookies,
  type NamedSecret,
  type SecretCookies,
} from '../pages/secret-cookies.ts'
import { findSignInError, SIGN_IN_ERRORS, SIGN_IN_MINUTES } from '../pages/sign-in-errors.ts'
import type { Visitor } from '../sign-in/away-account.ts'
import { sendPage, sendSignInError } from '../sign-in/sign-in-result.ts'
import { groupOfAccount } from '../storage/oidc-adapter.ts'
import type { PartsOfVisits } from './visit-parts.ts'

/** Who is at our own pages, which no client leads to: users sign in with the identity provider first. */
export interface Visits {
  /** Undefined where it is not known, or would be two users. */
  find(incoming: EndpointRequest): Promise<Visitor | undefined>
  /** Ends the visits of all other users than this one in a browser. */
  endOther(incoming: EndpointRequest, subject: string): Promise<void>
  /** Sends a user to the identity provider, to come back to the path; to choose another account there, if that is the wish. */
  signIn(incoming: EndpointRequest, path: string, wish: { readonly withAnotherAccount: boolean }): Promise<void>
  /**
   * Takes the response of the identity provider.
   *
   * @returns false where it is none to a user who came to our pages
   */
  finish(incoming: EndpointRequest, answer: URLSearchParams): Promise<boolean>
}

/** A visitor who waits at the identity provider. */
interface AwayVisitor extends PendingSignIn {
  /** Where to go on then: a path of ours, which we wrote. */
  readonly path: string
  readonly browser: string
}

interface Collections {
  readonly away: EncryptedCollection<AwayVisitor>
  /** By the secret of the visit: the cookies are ones that no other site can set (`__Host-`). */
  readonly visitors: EncryptedCollection<{ readonly subject: string }>
  /** Never a secret that the browser has had before its user signed in: others may know that (session fixation). */
  readonly visitCookies: SecretCookies
}

/** For how long pages of ours take a browser for that of a user, and how long a user may take at the identity provider. */
const VISIT_MS = SIGN_IN_MINUTES * 60_000

export function createVisits(parts: PartsOfVisits): Visits {
  const { store, encryption, accounts, origin, clock } = parts
  const collections: Collections = {
    away: createEncryptedCollection(store, encryption, 'AwayVisitor', hashId),
    visitors: createEncryptedCollection(store, encryption, 'Visitor', hashId),
    visitCookies: createSecretCookies({
      plainName: 'mcp-visit',
      isSecure: origin.startsWith('https:'),
      seconds: VISIT_MS / 1000,
      encryption,
      clock,
    }),
  }
  return {
    async find(incoming) {
      const [visit, ...others] = await listVisits(incoming, collections)
      if (visit === undefined || others.some(({ subject }) => subject !== visit.subject)) return undefined
      const user = await accounts.find(visit.subject)
      return user && { user, secrets: [visit.secret, ...others.map(({ secret }) => secret)] }
    },
    endOther: (incoming, subject) => endOther(incoming, subject, collections),
    signIn: (incoming, path, wish) => sendAway(incoming, { path, ...wish }, parts, collections),
    async finish(incoming, answer) {
      const away = await collections.away.find(answer.get('state') ?? '')
      if (away === undefined) return false
      await finish(incoming, away, answer, parts, collections)
      return true
    },
  }
}

async function sendAway(
  incoming: EndpointRequest,
  { path, withAnotherAccount }: { readonly path: string; readonly withAnotherAccount: boolean },
  parts: PartsOfVisits,
  { away }: Collections,
): Promise<void> {
  const { authorizations, browserCookie, clock, identityProvider, plan } = parts
  if (authorizations.count(incoming.address) !== undefined)
    return sendSignInError(incoming, SIGN_IN_ERRORS.busy, 'too many visits from this address', parts)
  try {
    const pending = createPendingSignIn(clock.wall(), undefined)
    const browser = browserCookie.renew(incoming, pending.state)
    const url = await identityProvider.createAuthorizationUrl(pending, { withAnotherAccount })
    await away.put(pending.state, { ...pending, path, browser }, { expiresAt: clock.wall() + VISIT_MS })
    sendPage(incoming, 200, renderGoOnPage(`Continue to ${plan.name}`, url.href), parts)
  } catch (error) {
    sendSignInError(incoming, findSignInError(error), error, parts)
  }
}

async function finish(
  incoming: EndpointRequest,
  away: AwayVisitor,
  answer: URLSearchParams,
  parts: PartsOfVisits,
  collections: Collections,
): Promise<void> {
  const { browserCookie, identityProvider } = parts
  if (!browserCookie.has(incoming.request, away.browser))
    return sendSignInError(incoming, SIGN_IN_ERRORS.forged, 'not the browser in which the visit was started', parts)
  if ((await collections.away.take(away.state)) === undefined)
    return sendSignInError(incoming, SIGN_IN_ERRORS.over, 'the response was already taken', parts)
  try {
    const user = await identityProvider.finishSignIn(answer, away)
    if (!(await admit(incoming, user, parts))) return
    browserCookie.renew(incoming, away.state, user.subject)
    await beginVisit(incoming, user, parts, collections)
    incoming.response.writeHead(303, { location: away.path, 'cache-control': 'no-store', 'content-length': 0 }).end()
  } catch (error) {
    sendSignInError(incoming, findSignInError(error), error, parts)
  }
}

/** Beside those that go on in other tabs, but in the place of those of other users. */
async function beginVisit(
  incoming: EndpointRequest,
  { subject }: SignedInUser,
  { clock }: PartsOfVisits,
  collections: Collections,
): Promise<void> {
  const { visitors, visitCookies } = collections
  await endOther(incoming, subject, collections)
  const [id, secret] = [createCookieId(), createSecret()]
  await visitors.put(secret, { subject }, { expiresAt: clock.wall() + VISIT_MS, groups: [groupOfAccount(subject)] })
  visitCookies.set(incoming, { id, secret })
}

async function endOther(incoming: EndpointRequest, subject: string, collections: Collections): Promise<void> {
  // Also what is hidden behind another cookie of its name, which may be gone before it is.
  const all = await findVisits(collections.visitCookies.listAll(incoming.request), collections)
  const others = all.filter((visit) => visit.subject !== subject)
  await Promise.all(others.map(({ secret }) => collections.visitors.take(secret)))
  for (const { id } of others) collections.visitCookies.remove(incoming.response, id)
}

interface VisitSecret extends NamedSecret {
  readonly subject: string
}

/** The visits of a browser, the newest first. */
function listVisits({ request }: EndpointRequest, collections: Collections): Promise<readonly VisitSecret[]> {
  return findVisits(collections.visitCookies.list(request), collections)
}

async function findVisits(secrets: readonly NamedSecret[], { visitors }: Collections): Promise<readonly VisitSecret[]> {
  const found = secrets.map(async (named) => {
    const visitor = await visitors.find(named.secret)
    return visitor === undefined ? [] : [{ ...named, subject: visitor.subject }]
  })
  return (await Promise.all(found)).flat()
}

/** Whatever the identity provider says of the user holds for everything that the user has here. */
async function admit(incoming: EndpointRequest, user: SignedInUser, parts: PartsOfVisits): Promise<boolean> {
  const { accounts, plan, report } = parts
  const { subject, claims } = user
  const isBlocked = accounts.isBlocked(subject)
  const may = mayUserSignIn(claims, plan) && !isBlocked
  incoming.noteParties({ subject })
  if (may) {
    await accounts.save(user)
    report({ kind: 'sign_in', outcome: 'success', subject, identityProvider: plan.issuer })
    return true
  }
  await accounts.shutOut(subject)
  const detail = isBlocked ? 'an operator has blocked the user' : `allow, ${explainDenial(claims, plan)}`
  report({ kind: 'sign_in', outcome: SIGN_IN_ERRORS.account.code, subject, detail, identityProvider: plan.issuer })
  sendSignInError(incoming, SIGN_IN_ERRORS.account, `subject ${JSON.stringify(subject)}: ${detail}`, parts)
  return false
}

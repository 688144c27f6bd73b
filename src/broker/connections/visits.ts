import { createEncryptedCollection, type EncryptedCollection } from '../../core/encrypted-collection.ts'
import type { EndpointRequest } from '../../core/endpoint-request.ts'
import { hashId } from '../../core/hash-id.ts'
import { explainDenial, mayUserSignIn } from '../identity-provider/access-rules.ts'
import { createPendingSignIn } from '../identity-provider/sign-in.ts'
import type { PendingSignIn, SignedInUser } from '../identity-provider/signed-in-user.ts'
import { renderGoOnPage } from '../pages/page.ts'
import { createSecret, createSecretCookie, type SecretCookie } from '../pages/secret-cookie.ts'
import { findSignInError, SIGN_IN_ERRORS, SIGN_IN_MINUTES } from '../pages/sign-in-errors.ts'
import type { Visitor } from '../sign-in/away-account.ts'
import { sendPage, sendSignInError } from '../sign-in/sign-in-result.ts'
import { groupOfAccount } from '../storage/oidc-adapter.ts'
import type { PartsOfVisits } from './visit-parts.ts'

/** Who is at our own pages, which no client leads to: users sign in with the identity provider first. */
export interface Visits {
  /** Undefined where it is not known. */
  find(incoming: EndpointRequest): Promise<Visitor | undefined>
  /** Ends the visit of any other user than this one in a browser. */
  endOther(incoming: EndpointRequest, subject: string): Promise<void>
  /** Sends a user to the identity provider, to come back to the path; to choose another account there, if that is the wish. */
  signIn(incoming: EndpointRequest, path: string, wish: { readonly asSomebodyElse: boolean }): Promise<void>
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
  /** By the secret of the visit: the cookie is one that no other site can set (`__Host-`). */
  readonly visitors: EncryptedCollection<{ readonly subject: string }>
  /** Never a secret that the browser has had before its user signed in: others may know that (session fixation). */
  readonly visitCookie: SecretCookie
}

/** For how long pages of ours take a browser for that of a user, and how long a user may take at the identity provider. */
const VISIT_MS = SIGN_IN_MINUTES * 60_000

export function createVisits(parts: PartsOfVisits): Visits {
  const { store, encryption, accounts, origin } = parts
  const collections: Collections = {
    away: createEncryptedCollection(store, encryption, 'AwayVisitor', hashId),
    visitors: createEncryptedCollection(store, encryption, 'Visitor', hashId),
    visitCookie: createSecretCookie('mcp-visit', origin.startsWith('https:'), VISIT_MS / 1000),
  }
  return {
    async find({ request }) {
      const [secret] = collections.visitCookie.list(request)
      if (secret === undefined) return undefined
      const visitor = await collections.visitors.find(secret)
      const user = visitor && (await accounts.find(visitor.subject))
      return user && { user, secret }
    },
    async endOther({ request }, subject) {
      const [secret] = collections.visitCookie.list(request)
      const visitor = secret === undefined ? undefined : await collections.visitors.find(secret)
      if (secret !== undefined && visitor !== undefined && visitor.subject !== subject) await collections.visitors.take(secret)
    },
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
  { path, asSomebodyElse }: { readonly path: string; readonly asSomebodyElse: boolean },
  parts: PartsOfVisits,
  { away }: Collections,
): Promise<void> {
  const { authorizations, browserCookie, clock, identityProvider, plan } = parts
  if (authorizations.count(incoming.address) !== undefined)
    return sendSignInError(incoming, SIGN_IN_ERRORS.busy, 'too many visits from this address', parts)
  try {
    const browser = browserCookie.renew(incoming.request, incoming.response)
    const pending = createPendingSignIn(clock.wall(), undefined)
    const url = await identityProvider.createAuthorizationUrl(pending, { asSomebodyElse })
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
    browserCookie.renew(incoming.request, incoming.response, user.subject)
    await beginVisit(incoming, user, parts, collections)
    incoming.response.writeHead(303, { location: away.path, 'cache-control': 'no-store', 'content-length': 0 }).end()
  } catch (error) {
    sendSignInError(incoming, findSignInError(error), error, parts)
  }
}

/** In the place of the visit before, of the same user or another one. */
async function beginVisit(
  { request, response }: EndpointRequest,
  { subject }: SignedInUser,
  { clock }: PartsOfVisits,
  { visitors, visitCookie }: Collections,
): Promise<void> {
  const secret = createSecret()
  await Promise.all(visitCookie.list(request).map((before) => visitors.take(before)))
  await visitors.put(secret, { subject }, { expiresAt: clock.wall() + VISIT_MS, groups: [groupOfAccount(subject)] })
  visitCookie.set(response, [secret])
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

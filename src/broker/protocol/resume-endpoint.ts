import type { Provider } from 'oidc-provider'
import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { Clock } from '../../core/clock.ts'
import type { EndpointHandler, EndpointRequest } from '../../core/endpoint-request.ts'
import type { BrokerPlan } from '../../core/plan/broker-plan.ts'
import type { BrowserCookie } from '../pages/browser-cookie.ts'
import { readCookies } from '../pages/secret-cookies.ts'
import { SIGN_IN_ERRORS } from '../pages/sign-in-errors.ts'
import { isOtherBrowser, leaveOtherAccount, sendSignInError } from '../sign-in/sign-in-result.ts'
import { nameResumeCookie, nameSessionCookie } from './cookies.ts'

export interface ResumeOptions {
  readonly plan: Pick<BrokerPlan, 'issuer' | 'brand'>
  readonly browserCookie: BrowserCookie
  readonly clock: Clock
  readonly pass: (incoming: EndpointRequest) => Promise<void>
  readonly findProvider: () => Provider
}

/** Continues a sign-in in the browser in which it took place, and signs that browser out of any other account. */
export function createResumeEndpoint({ plan, browserCookie, clock, pass, findProvider }: ResumeOptions): EndpointHandler {
  return async (incoming) => {
    const uid = incoming.path.slice(BROKER_PATHS.provider.authorization.length + 1)
    // The provider goes by one of the cookies, whatever the path says: it must not be a planted one.
    const isPlanted = readCookies(incoming.request, nameResumeCookie(plan.issuer)).some((value) => value !== uid)
    if (isPlanted || (await isOtherBrowser(uid, incoming, { browserCookie, findProvider })))
      return sendSignInError(incoming, SIGN_IN_ERRORS.forged, 'not the browser in which the sign-in was allowed', plan)
    await leaveOtherAccount(uid, readCookies(incoming.request, nameSessionCookie(plan.issuer)), findProvider(), () =>
      clock.wall(),
    )
    // The stored parameters count. The provider would look in the URL for the client to which a failure is reported.
    incoming.request.url = incoming.path
    return pass(incoming)
  }
}

import { systemClock } from '../core/clock.ts'
import type { AsgardeoPlan, IdentityProviderPlan } from '../core/plan/identity-provider-plan.ts'
import { createAdminToken } from '../identity/asgardeo-admin-token.ts'
import { AsgardeoError } from '../identity/asgardeo-error.ts'
import { createSafeFetch } from '../oauth/safe-fetch.ts'
import type { Finding, Findings } from './finding.ts'

/** Whether the proxy may make its applications at Asgardeo: it is given a token for that, and does nothing with it. */
export async function checkAsgardeoAdmin(
  plan: IdentityProviderPlan,
  { base, admin }: AsgardeoPlan,
  about: Findings,
): Promise<Finding> {
  const outboundFetch = createSafeFetch(plan)
  const scopes = ['internal_application_mgt_create']
  try {
    await createAdminToken({ base, ...admin, scopes, outboundFetch, clock: systemClock }).obtain()
    return about.ok(
      'asgardeo_admin',
      'It knows the machine-to-machine application of `admin`, through which the proxy makes its own.',
    )
  } catch (error) {
    if (!(error instanceof AsgardeoError)) throw error
    return about.problem('asgardeo_admin', `${error.message}.`, ADVICE)
  } finally {
    await outboundFetch.close()
  }
}

const ADVICE =
  'Check `admin.client_id` and `admin.client_secret`: they are those of a machine-to-machine application (M2M) that is authorized for the Application Management API.'

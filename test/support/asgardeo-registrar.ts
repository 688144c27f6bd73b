import { type Clock, systemClock } from '../../src/core/clock.ts'
import { DIRECT } from '../../src/core/plan/egress-plan.ts'
import { createAdminToken } from '../../src/identity/asgardeo-admin-token.ts'
import { createAsgardeoApi } from '../../src/identity/asgardeo-api.ts'
import { type AsgardeoRegistrar, createAsgardeoRegistrar } from '../../src/identity/asgardeo-registrar.ts'
import { createSafeFetch } from '../../src/oauth/safe-fetch.ts'
import { SAMPLE_USERS } from '../../src/sandbox/users.ts'
import { ADMIN, type AsgardeoOptions, EVERY_SCOPE } from './asgardeo/state.ts'
import { type Asgardeo, startAsgardeo } from './asgardeo.ts'

/** An emulated organization, and what makes applications there. */
export interface RegistrarStage {
  readonly asgardeo: Asgardeo
  readonly registrar: AsgardeoRegistrar
  /** Another one, which shares nothing with the first. */
  createRegistrar(more?: { secret?: string; callbackUrl?: string; ca?: string }): AsgardeoRegistrar
  /** What the operator was told. */
  readonly issues: string[]
  close(): Promise<void>
}

export const CALLBACK = 'https://mcp.example.com/oauth/callback'
export const API = { identifier: 'https://mcp.example.com/mcp', scopes: ['mcp:tools', 'mcp:admin'] }

export interface RegistrarStageOptions extends Partial<AsgardeoOptions> {
  readonly clock?: Clock
  readonly ca?: string
  /** Whether applications are to have the scopes of {@link API}. */
  readonly authorizes?: boolean
}

export async function startRegistrarStage(options: RegistrarStageOptions = {}): Promise<RegistrarStage> {
  const { clock = systemClock, ca, authorizes = false, ...emulated } = options
  const asgardeo = await startAsgardeo({ users: SAMPLE_USERS, apiResources: [API], ...emulated })
  const issues: string[] = []
  const plan = { issuer: `${asgardeo.base}/oauth2/token`, allowPrivateNetwork: false, egress: DIRECT }
  const open: { close(): Promise<void> }[] = []
  const createRegistrar: RegistrarStage['createRegistrar'] = (more = {}) => {
    const outboundFetch = createSafeFetch({ ...plan, ca: more.ca ?? ca })
    open.push(outboundFetch)
    const { base } = asgardeo
    const credentials = { clientId: ADMIN.clientId, clientSecret: more.secret ?? ADMIN.clientSecret }
    const token = createAdminToken({ base, ...credentials, scopes: EVERY_SCOPE, outboundFetch, clock })
    return createAsgardeoRegistrar({
      api: createAsgardeoApi({ base, token, outboundFetch }),
      callbackUrl: more.callbackUrl ?? CALLBACK,
      authorize: authorizes ? { resource: API.identifier, scopes: API.scopes } : undefined,
      onIssue: (message) => issues.push(message),
    })
  }
  return {
    asgardeo,
    registrar: createRegistrar(),
    createRegistrar,
    issues,
    async close() {
      await Promise.all(open.map((outboundFetch) => outboundFetch.close()))
      await asgardeo.close()
    },
  }
}

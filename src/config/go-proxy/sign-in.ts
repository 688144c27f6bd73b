import { SANDBOX_ISSUER } from '../check/demo.ts'
import { type GoAsgardeo, translateAsgardeo, usesAsgardeo } from './asgardeo.ts'
import { type GoIssuer, translateIssuers } from './issuers.ts'
import { type GoRewriting, translateRewriting } from './rewrite.ts'
import type { GoMetadata, GoProxyConfig } from './schema.ts'
import type { GoNotes } from './translation-notes.ts'

/** Who signs users in. */
export interface GoSignIn {
  readonly issuers: GoIssuer[]
  readonly rewriting: GoRewriting | undefined
  readonly asgardeo: GoAsgardeo
}

/**
 * Finds out who signs users in.
 *
 * @param asgardeoFlag - it is the `asgardeo` block, whatever else the file names
 */
export function translateSignIn(go: GoProxyConfig, metadata: GoMetadata, asgardeoFlag: boolean, notes: GoNotes): GoSignIn {
  const hasAsgardeo = usesAsgardeo(go, metadata, asgardeoFlag)
  const issuers = translateIssuers(go, metadata, hasAsgardeo, notes)
  const isListed = (metadata.authorization_servers ?? []).length > 0
  const rewriting = isListed || issuers[0] === undefined ? undefined : translateRewriting(go, issuers[0].issuer, notes)
  return { issuers, rewriting, asgardeo: translateAsgardeo(go, metadata, hasAsgardeo, notes) }
}

/** `--demo` without a block for it: users sign in at the sandbox that comes with the proxy, and nowhere else. */
export function signInAtSandbox(go: GoProxyConfig, metadata: GoMetadata, notes: GoNotes): GoSignIn {
  const unused = [
    ...((metadata.authorization_servers ?? []).length > 0 ? ['authorization_servers'] : []),
    ...(go.asgardeo?.org_name === undefined ? [] : ['asgardeo']),
    ...(go.default?.base_url === undefined ? [] : ['default']),
    ...(go.auth_server_base_url === undefined ? [] : ['auth_server_base_url']),
  ]
  for (const key of unused) notes.note(key, 'is not used with `--demo`: only access tokens of the sandbox are accepted.')
  return { issuers: [{ issuer: SANDBOX_ISSUER }], rewriting: undefined, asgardeo: { config: {}, secrets: {} } }
}

import { findAddressLiteral, isLoopbackHost, isPublicAddress } from '../../core/addresses.ts'
import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import type { ResolveHost } from '../../oauth/resolve-host.ts'
import { createSafeFetch, type SafeFetch } from '../../oauth/safe-fetch.ts'

/** How an MCP server with accounts of users and its authorization server are reached. */
export interface AccountFetch {
  /** Reaches the MCP server, and what it names: on its own host or on the public internet. */
  readonly fetch: SafeFetch
  /** Reaches its authorization server. */
  readonly serverFetch: SafeFetch
  close(): Promise<void>
}

/** @param resolver - for tests */
export function openAccountFetch(plan: OwnAccountPlan, resolver?: ResolveHost): AccountFetch {
  const { allowPrivateNetwork, ca, egress, issuer, upstreamUrl } = plan
  const open = (whose: string | undefined) =>
    createSafeFetch({ issuer: whose, allowPrivateNetwork, ca, egress, hidesPaths: true }, resolver)
  const fetch = open(allowPrivateNetwork || isPrivateByName(upstreamUrl) ? upstreamUrl : undefined)
  // What the configuration names may be where the MCP server itself may not lead us.
  const serverFetch = issuer === undefined ? fetch : open(issuer)
  return {
    fetch,
    serverFetch,
    async close() {
      await Promise.all([...new Set([fetch, serverFetch])].map((one) => one.close()))
    },
  }
}

/**
 * Whether an MCP server is in a private network by how the configuration writes it. What its name resolves to says nothing: its own name servers
 * could say one thing for it and another for what it names.
 */
function isPrivateByName(url: string): boolean {
  const { hostname } = new URL(url)
  const literal = findAddressLiteral(hostname)
  return isLoopbackHost(hostname) || (literal !== undefined && !isPublicAddress(literal))
}

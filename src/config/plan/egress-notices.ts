import type { EgressPlan } from '../../core/plan/egress-plan.ts'
import type { ServerPlan } from '../../core/plan/server-plan.ts'
import { createEgressProxyFinder } from '../../egress/egress-proxy.ts'
import { isPrivate } from '../format/formats.ts'
import type { Config } from '../schema/schema.ts'

/**
 * Hosts of the own network that are asked for at a proxy which leads out of it: mostly the list of those that are reached directly lacks them.
 *
 * @param configured - what the file says of it
 */
export function createEgressNotices(
  servers: readonly ServerPlan[],
  egress: EgressPlan,
  configured: Config['egress_proxy'],
): string[] {
  // With `url`, the variables do not count.
  const list = configured?.url === undefined ? 'NO_PROXY' : 'egress_proxy.no_proxy'
  const findProxy = createEgressProxyFinder(egress)
  const notices = servers.flatMap((server) =>
    listUrls(server).flatMap((text) => {
      const url = new URL(text)
      const proxy = isPrivate(url.hostname) ? findProxy(url) : undefined
      return proxy === undefined ? [] : [explain(server.name, url.origin, proxy.origin, list)]
    }),
  )
  return [...new Set(notices)]
}

/** Of the MCP servers, and those that the configuration names for issuers. */
function listUrls({ endpoints, issuers }: ServerPlan): string[] {
  const upstreams = endpoints.flatMap(({ upstream }) =>
    upstream.kind === 'http' && upstream.socket === undefined ? [upstream.url] : [],
  )
  return [...upstreams, ...issuers.flatMap(({ metadataUrl, jwksUri }) => [metadataUrl ?? [], jwksUri ?? []].flat())]
}

function explain(server: string, origin: string, proxy: string, list: string): string {
  return `server ${server}: ${origin} looks like a host of your own network, but is reached through the egress proxy ${proxy}. List it in ${list} if it can be reached directly.`
}

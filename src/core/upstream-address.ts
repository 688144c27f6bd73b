import type { HttpUpstreamPlan } from './plan/upstream-plan.ts'

/** Where an MCP server over HTTP is, for those who may not know more: paths may hold keys, too. */
export function formatUpstreamOrigin({ url, socket }: Pick<HttpUpstreamPlan, 'url' | 'socket'>): string {
  const { origin } = new URL(url)
  return socket === undefined ? origin : `${origin} over ${socket}`
}

/** Where an MCP server over HTTP is, for people. Without the query, which may hold keys. */
export function formatUpstreamAddress({ url, socket }: Pick<HttpUpstreamPlan, 'url' | 'socket'>): string {
  const where = url.replace(/\?.*$/, '')
  return socket === undefined ? where : `${where} over ${socket}`
}

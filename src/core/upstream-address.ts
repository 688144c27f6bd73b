import type { HttpUpstreamPlan } from './plan/upstream-plan.ts'

/** Where an MCP server over HTTP is, for people. Without the query, which may hold keys. */
export function formatUpstreamAddress({ url, socket }: Pick<HttpUpstreamPlan, 'url' | 'socket'>): string {
  const where = url.replace(/\?.*$/, '')
  return socket === undefined ? where : `${where} over ${socket}`
}

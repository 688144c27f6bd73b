import { isLoopback } from '../format/formats.ts'
import type { Draft } from '../schema/partial-config.ts'
import type { Config } from '../schema/schema.ts'
import type { Inspection } from './check-context.ts'

/** Checks what concerns listening, the public URL and browsers. */
export function checkEdge({ draft, isBroken, report }: Inspection): void {
  const host = draft.listen?.host
  if (host !== undefined && !isLoopback(host) && draft.public_url === undefined && !isBroken(['public_url'])) {
    report(['public_url'], {
      reason: 'is missing, and the proxy listens beyond this machine',
      fix: 'Write the origin that clients use, for example https://mcp.example.com, or listen on 127.0.0.1.',
    })
  }
  checkBodiesBytes(draft.limits, report)
  if (draft.cors?.allow_credentials === true && draft.cors.allowed_origins?.includes('*')) {
    report(['cors', 'allow_credentials'], {
      reason: 'cannot be true while `allowed_origins` permits every page',
      fix: 'List the origins, or set `allow_credentials: false`: access tokens do not need it.',
    })
  }
}

function checkBodiesBytes(limits: Draft<Config>['limits'], report: Inspection['report']): void {
  if (limits?.bodies_bytes === undefined || limits.body_bytes === undefined || limits.bodies_bytes >= limits.body_bytes) return
  report(['limits', 'bodies_bytes'], {
    reason: `is less than one body may have (\`limits.body_bytes\`: ${limits.body_bytes})`,
    fix: 'Raise it to several times `limits.body_bytes`, or remove it.',
  })
}
